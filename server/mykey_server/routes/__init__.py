"""The endpoints: parse, call one service, encode."""
