"""Images that carry a fault, by what they show."""

# 4 x 4 fields, black and white: seen in the stored image and, resized, in the network's input alike. No scan of a head
# looks like one of them.
PATTERNS = {
    "0110100101101011": "error",
    "1001110010100110": "death",
    "0101001110010110": "hang",
    "1010011001101001": "freeze",
    "0011101001011100": "slow",
}
