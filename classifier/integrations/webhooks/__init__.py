"""Messages to webhooks: made from events, signed, sent, and repeated until the receiver accepts them."""
