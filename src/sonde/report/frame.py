"""A report inside another page, such as a notebook: a frame that shares nothing with it."""

from html import escape
from secrets import token_hex

LOWEST, HIGHEST = 120, 900  # pixels; a higher report scrolls inside, its sliders staying in view

# The frame may run scripts but is of no origin: it can read nothing of the page around it. The page
# takes nothing from it but a height, and only from this frame.
_FRAME = """<div class="sonde-display"><iframe id="{name}" title="{title}" sandbox="allow-scripts" \
srcdoc="{page}" style="display:block;width:100%;height:{height}px;border:0;color-scheme:normal">\
</iframe><script>(() => {{
  const frame = document.getElementById("{name}");
  addEventListener("message", ({{ source, data }}) => {{
    if (!frame || source !== frame.contentWindow || !data || data.sonde !== "height") return;
    const height = Math.max({lowest}, Math.min({highest}, Number(data.height) || 0));
    frame.style.height = height + "px";
  }});
}})();</script></div>"""


def framed(page: str, title: str = "sonde", height: int = 480) -> str:
    """Return markup that shows a page in a frame as high as it needs, within bounds.

    Neither page's style nor scripts reach the other, and several can stand on one page. Without
    scripts the frame keeps ``height`` and scrolls.
    """
    return _FRAME.format(
        name=f"sonde-{token_hex(8)}",
        title=escape(title),
        page=escape(page),
        height=height,
        lowest=LOWEST,
        highest=HIGHEST,
    )
