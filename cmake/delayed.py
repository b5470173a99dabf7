#!/usr/bin/python3
"""Writes the stubs of slipway_delay() (Delayed.cmake) as assembler for x86-64.

Each is a jump through a slot. At first the slot leads to code that keeps the arguments, whatever they are (rax counts
those of a variadic call that lie in vector registers), asks slipway_delayed_function() for the real function, puts it
into the slot and goes there as if nothing had been.
"""
import argparse
import subprocess
import sys

HEAD = """# Made by cmake/delayed.py.
  .text
  .hidden slipway_delayed_function
  .type common, @function
common:
  .cfi_startproc
  .cfi_def_cfa_offset 16
  push %rbp
  .cfi_def_cfa_offset 24
  .cfi_offset %rbp, -24
  mov %rsp, %rbp
  .cfi_def_cfa_register %rbp
  and $-16, %rsp
  sub $192, %rsp
  mov %rax, 128(%rsp)
  mov %rdi, 136(%rsp)
  mov %rsi, 144(%rsp)
  mov %rdx, 152(%rsp)
  mov %rcx, 160(%rsp)
  mov %r8, 168(%rsp)
  mov %r9, 176(%rsp)
VECTORS_KEPT
  mov 8(%rbp), %rdi
  call slipway_delayed_function
  mov %rax, %r11
VECTORS_BACK
  mov 128(%rsp), %rax
  mov 136(%rsp), %rdi
  mov 144(%rsp), %rsi
  mov 152(%rsp), %rdx
  mov 160(%rsp), %rcx
  mov 168(%rsp), %r8
  mov 176(%rsp), %r9
  leave
  add $8, %rsp
  jmp *%r11
  .cfi_endproc
  .size common, . - common
"""


def names(nm, *arguments):
    out = subprocess.run([nm, "--format=posix", *arguments], check=True, capture_output=True, text=True).stdout
    return {line.split()[0].split("@")[0] for line in out.splitlines() if len(line.split()) > 1}


def vectors(instruction):
    return "\n".join("  " + instruction.format(n=n, at=16 * n) for n in range(8))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--nm", required=True)
    parser.add_argument("--libraries", nargs="+", required=True)
    parser.add_argument("--calls", nargs="+", required=True, help="archives whose undefined symbols are the calls")
    options = parser.parse_args()
    called = names(options.nm, "--undefined-only", *options.calls)
    functions, libraries = [], []
    for library in options.libraries:
        # The name that programs load, libgit2.so.1.5, not the one that they are linked with.
        dynamic = subprocess.run(["readelf", "-d", library], check=True, capture_output=True, text=True).stdout
        name = next((line.split("[")[1].rstrip("]") for line in dynamic.splitlines() if "(SONAME)" in line))
        mine = sorted(called & names(options.nm, "--dynamic", "--defined-only", library))
        if not mine:
            sys.exit(f"{library}: none of its functions is called; does it still belong into Delayed.cmake?")
        functions += [(function, len(libraries)) for function in mine]
        libraries.append(name)
    lines = [HEAD.replace("VECTORS_KEPT", vectors("movups %xmm{n}, {at}(%rsp)")).replace("VECTORS_BACK", vectors("movups {at}(%rsp), %xmm{n}"))]
    for number, (function, _) in enumerate(functions):
        lines.append(f"  .globl {function}\n  .hidden {function}\n  .type {function}, @function\n{function}:\n  jmp *slot{number}(%rip)\nload{number}:\n  push ${number}\n  jmp common\n  .size {function}, . - {function}")
    lines.append("  .data\n  .balign 8\n  .globl slipway_delayed_slots\n  .hidden slipway_delayed_slots\nslipway_delayed_slots:")
    lines += [f"slot{number}: .quad load{number}" for number in range(len(functions))]
    lines.append("  .section .rodata\n  .globl slipway_delayed_names\n  .hidden slipway_delayed_names\nslipway_delayed_names:")
    lines += [f'  .asciz "{function}"' for function, _ in functions]
    lines.append("  .globl slipway_delayed_libraries\n  .hidden slipway_delayed_libraries\nslipway_delayed_libraries:")
    lines += [f'  .asciz "{library}"' for library in [*libraries, ""]]
    lines.append("  .globl slipway_delayed_owners\n  .hidden slipway_delayed_owners\nslipway_delayed_owners:")
    lines += [f"  .byte {library}" for _, library in functions]
    lines.append('  .section .note.GNU-stack,"",@progbits\n')
    with open(options.out, "w") as file:
        file.write("\n".join(lines))


main()
