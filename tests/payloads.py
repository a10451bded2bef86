"""What somebody might send to make a page run it: each tries to reach `/beacon`."""

PAYLOADS = (
    "<script>fetch('/beacon?1')</script>",
    "<img src=x onerror=\"fetch('/beacon?2')\">",
    "<svg onload=\"fetch('/beacon?3')\"></svg>",
    "<iframe srcdoc=\"<script>fetch('/beacon?4')</script>\"></iframe>",
    "<a href=\"javascript:fetch('/beacon?5')\">x</a>",
    "<form action=/beacon?6><button>x</button></form>",
    "<style>@import '/beacon?7';</style>",
    "<link rel=stylesheet href=/beacon?8>",
    "<video><source onerror=\"fetch('/beacon?9')\"></video>",
    "<details open ontoggle=\"fetch('/beacon?10')\">x</details>",
    '"><img src=/beacon?11>',
    "'\" autofocus onfocus=\"fetch('/beacon?12')\" x='",
    "<math><mtext></mtext><mglyph><style><img src=/beacon?13></style></math>",
    "`${fetch('/beacon?14')}` {{constructor.constructor('fetch(1)')()}}",
)
