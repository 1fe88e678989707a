/* The trampoline program (trampoline/stub.cpp) as bytes. KNARR_TRAMPOLINE_FILE comes from CMake. */
    .section .rodata
    .globl knarr_trampoline_begin
    .globl knarr_trampoline_end
    .balign 16
knarr_trampoline_begin:
    .incbin KNARR_TRAMPOLINE_FILE
knarr_trampoline_end:
    .section .note.GNU-stack,"",%progbits
