"""Who the two hosts are: their names, their addresses and their network cards."""

# As in imgs/ethernet.png. Both ranges are reserved for documentation: RFC 5737 and RFC 7042.
HOSTS = {"left": ("192.0.2.10", "00:00:5e:00:53:10"), "right": ("192.0.2.20", "00:00:5e:00:53:20")}
