"""Reads headers, sections and symbols of a 64-bit little-endian ELF file."""

import struct
from collections import namedtuple

Segment = namedtuple("Segment", "type flags offset address size")

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
PT_GNU_STACK, PT_GNU_RELRO = 0x6474E551, 0x6474E552
PF_X, PF_W = 1, 2
ET_DYN = 3
DT_NEEDED, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_RPATH, DT_TEXTREL, DT_RUNPATH, DT_FLAGS, DT_FLAGS_1 = 1, 5, 6, 10, 15, 22, 29, 30, 0x6FFFFFFB
DF_TEXTREL, DF_BIND_NOW, DF_1_NOW, DF_1_PIE = 4, 8, 1, 0x08000000
EM_X86_64 = 62
ENDBR64 = bytes.fromhex("f30f1efa")


class Elf:
    def __init__(self, path):
        self.bytes = path.read_bytes()
        assert self.bytes[:6] == b"\x7fELF\x02\x01", f"{path} is not a 64-bit little-endian ELF file"
        self.type, self.machine = struct.unpack_from("<HH", self.bytes, 16)
        at, = struct.unpack_from("<Q", self.bytes, 32)
        size, count = struct.unpack_from("<HH", self.bytes, 54)
        self.segments = []
        for n in range(count):
            kind, flags, offset, address, _physical, length = struct.unpack_from("<IIQQQQ", self.bytes, at + n * size)
            self.segments.append(Segment(kind, flags, offset, address, length))
        dynamic = self.segment(PT_DYNAMIC)
        entries = struct.iter_unpack("<qQ", self.bytes[dynamic.offset:dynamic.offset + dynamic.size // 16 * 16])
        self.dynamic = [(tag, value) for tag, value in entries if tag != 0]

    def segment(self, kind):
        """The only program header of that kind, or None."""
        found = [segment for segment in self.segments if segment.type == kind]
        assert len(found) <= 1
        return found[0] if found else None

    def values(self, tag):
        return [value for found, value in self.dynamic if found == tag]

    def flags(self, tag):
        return (self.values(tag) or [0])[0]

    def at(self, address):
        """The offset in the file of that address."""
        for segment in self.segments:
            if segment.type == PT_LOAD and segment.address <= address < segment.address + segment.size:
                return address - segment.address + segment.offset
        raise AssertionError(f"no segment is loaded at {address:#x}")

    def names(self):
        """All names in the dynamic string table: symbols, libraries, versions."""
        start = self.at(self.values(DT_STRTAB)[0])
        return set(self.bytes[start:start + self.values(DT_STRSZ)[0]].decode("latin-1").split("\0"))

    def code(self):
        return b"".join(self.bytes[segment.offset:segment.offset + segment.size]
                        for segment in self.segments if segment.type == PT_LOAD and segment.flags & PF_X)


def weaknesses(elf):
    """The names of the usual hardening measures that a program lacks."""
    stack = elf.segment(PT_GNU_STACK)
    names = elf.names()
    found = {
        "its address is fixed": elf.type != ET_DYN or not elf.flags(DT_FLAGS_1) & DF_1_PIE or elf.segment(PT_INTERP) is None,
        "its stack can be executed": stack is None or bool(stack.flags & PF_X),
        "memory can be written and executed": any(
            segment.type == PT_LOAD and segment.flags & PF_W and segment.flags & PF_X for segment in elf.segments),
        "what the linker relocates stays writable": elf.segment(PT_GNU_RELRO) is None,
        "symbols are bound late": not (elf.flags(DT_FLAGS) & DF_BIND_NOW or elf.flags(DT_FLAGS_1) & DF_1_NOW),
        "its code is relocated": bool(elf.values(DT_TEXTREL)) or bool(elf.flags(DT_FLAGS) & DF_TEXTREL),
        "it looks for libraries by itself": bool(elf.values(DT_RPATH) or elf.values(DT_RUNPATH)),
        "stacks have no canaries": "__stack_chk_fail" not in names,
        "calls are not fortified": not {"__memcpy_chk", "__snprintf_chk", "__vsnprintf_chk", "__fprintf_chk"} & names,
    }
    if elf.machine == EM_X86_64:
        # Debian's start files lack these marks, so the file as a whole has none. Its functions have them.
        found["indirect calls may go anywhere"] = elf.code().count(ENDBR64) < 300
    return sorted(weakness for weakness, is_so in found.items() if is_so)
