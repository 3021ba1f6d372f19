from classifier.training.leaks import leak_table


def test_the_table_counts_what_training_knows(data):
    official, purged, patient = leak_table(data)
    assert (official["test_with_twin"], purged["test_with_twin"], patient["test_with_twin"]) == (1, 0, 0)
    assert official["test_with_twin_by_finding"]["glioma"] == 1
    assert official["test_of_known_group"] > 0
    assert patient["test_of_known_group"] == 0
    assert all(0.5 < row["neighbour_accuracy"] <= 1 for row in (official, purged, patient))
