"""Talking to the card, as bytes: APDUs, status words, TLV, the JPKI application. No I/O."""
