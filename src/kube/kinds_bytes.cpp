// The table of schema/kinds.txt, so that slipway stays one file.
asm(".section .rodata\n"
    ".global slipway_kube_kinds_begin\n"
    ".global slipway_kube_kinds_end\n"
    "slipway_kube_kinds_begin:\n"
    ".incbin \"" SLIPWAY_KUBE_KINDS
    "\"\n"
    "slipway_kube_kinds_end:\n"
    ".previous\n");
