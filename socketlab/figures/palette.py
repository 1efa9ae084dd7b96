"""The few colours and weights every picture shares. Hue is identity, weight is state."""

HUES = ("#0072B2", "#D55E00", "#009E73", "#56B4E9", "#E69F00", "#CC79A7")  # Okabe and Ito
INK = "#222222"
GREY = "#6b6b6b"
HAIRLINE = "#c8c8c8"
IDLE = "#ebebeb"
PAPER = "#ffffff"
SANS = "DejaVu Sans"
MONO = "DejaVu Sans Mono"


def hue(index: int, total: int) -> str:
    """The colour of connection `index` of `total`: its own up to six, one for all beyond."""
    return HUES[index] if total <= len(HUES) else HUES[0]


def tint(colour: str, strength: float = 0.22) -> str:
    """`colour` mixed into white paper: 0 is white, 1 is the colour itself."""
    channels = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 + (c - 255) * strength):02x}" for c in channels)
