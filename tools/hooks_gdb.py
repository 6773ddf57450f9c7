"""
Commands for gdb that show what the processes of a hooksd share, of a live process or of a core. In gdb:

    source tools/hooks_gdb.py
    help hooks

All names and layouts come from the program's debug information. docs/tools.md tells how to attach and how to get a core.
"""

import os
import re

import gdb

# As in shm/lane_flags.h, whose macros are not in the debug information.
LANE_FLAGS = {"AWAITED": 1, "SPOOLED": 2, "IN_DOUBT": 4, "REFUSED": 8, "DISMISSED": 16, "FINISHED": 32, "FORMER_BOOT": 64}
MAGIC = b"hooksr"  # what the magics of all versions begin with (shm/segment_layout.h)
MAPPING = re.compile(r"^\s*0x([0-9a-f]+)\s+0x[0-9a-f]+\s+0x[0-9a-f]+\s+0x0\s+(?:[-rwxsp]{4}\s+)?(\S.*)$", re.MULTILINE)


def evaluate(expression):
    return gdb.parse_and_eval(expression)


def at(type_name, address):
    """What stands there, as a value of that type."""
    return gdb.Value(address).cast(gdb.lookup_type(type_name).pointer()).dereference()


def size_of(type_name):
    return gdb.lookup_type(type_name).sizeof


def names_of(enum):
    """{number: name} of an enum, without what all names have in common: {0: "down", 1: "starting"}."""
    fields = gdb.lookup_type(f"enum {enum}").strip_typedefs().fields()
    return {int(field.enumval): field.name.split("_", 1)[-1].lower() for field in fields}


def name_of(enum, number):
    return names_of(enum).get(int(number), f"unknown ({int(number)})")


def text_of(value):
    """A char array up to its NUL, without what controls a terminal."""
    found = bytes(int(value[i]) & 0xFF for i in range(value.type.sizeof)).split(b"\0")[0]
    return re.sub(r"[^ -~]", "?", found.decode("latin-1"))


def flags_of(number):
    return ", ".join(name.lower() for name, bit in LANE_FLAGS.items() if number & bit) or "none"


class Segment:
    """The segment as the selected process has it mapped: offsets as segment_layout() of shm/segment_layout.c has them."""

    def __init__(self):
        self.address, self.path = self.find()
        self.header = at("struct segment_header", self.address)
        self.roles = [evaluate(f"role_table[{r}]") for r in range(int(evaluate("ROLES")))]
        self.counts = [int(self.header["counts"][r]) for r in range(len(self.roles))]
        self.groups = [evaluate(f"lane_group_table[{g}]") for g in range(int(evaluate("LANE_GROUPS")))]
        page = int(re.search(r"AT_PAGESZ.*?(\d+)$", gdb.execute("info auxv", to_string=True), re.MULTILINE)[1])
        self.slots, end = [], page
        for r, count in enumerate(self.counts):
            self.slots.append(self.address + end)
            end += count * int(evaluate(f"slot_bytes[{r}]"))
        self.controls = -(-end // page) * page
        self.descriptors = -(-(self.controls + self.lane_count() * size_of("struct lane_control")) // page) * page

    @staticmethod
    def find():
        """Address and file of the mapping that begins with the magic."""
        inferior = gdb.selected_inferior()
        if not inferior.threads():
            raise gdb.GdbError("There is no process and no core: attach to a process of hooksd, or load a core.")
        for start, path in MAPPING.findall(gdb.execute("info proc mappings", to_string=True)):
            try:
                if bytes(inferior.read_memory(int(start, 16), len(MAGIC))) == MAGIC:
                    return int(start, 16), path
            except gdb.MemoryError:
                continue
        raise gdb.GdbError("No mapping begins with a ring's magic. A core has the ring only when the process had 0x3b in "
                           "/proc/PID/coredump_filter; the ring's file, if it is there, is shown by: hooksctl ring dump FILE")

    def role_name(self, role, index):
        return f"{self.roles[int(role)]['name'].string()}-{index}"

    def processes(self):
        """(role, index, slot) of all processes."""
        for r, count in enumerate(self.counts):
            size = int(evaluate(f"slot_bytes[{r}]"))
            for i in range(count):
                yield r, i, at("struct process_slot", self.slots[r] + i * size)

    def ledgers(self):
        """(role, index, ledger) of all processes that have one."""
        roles = evaluate("ledger_roles")
        for n in range(roles.type.range()[1] + 1):
            role = int(roles[n])
            size = int(evaluate(f"slot_bytes[{role}]"))
            for i in range(self.counts[role]):
                yield role, i, at("struct writer_slot", self.slots[role] + i * size)["ledger"]

    def producers(self, role):
        """How many processes have a lane to each of that role."""
        return self.counts[next(int(info["from"]) for info in self.groups if int(info["to"]) == role != int(info["from"]))]

    def ends(self):
        """(group, from, to) of all lanes, in their order: the ends are (role, index)."""
        for g, info in enumerate(self.groups):
            from_role, to_role = int(info["from"]), int(info["to"])
            for i in range(self.counts[from_role]):
                for j in [i] if from_role == to_role else range(self.counts[to_role]):
                    yield g, (from_role, i), (to_role, j)

    def lane_count(self):
        return sum(1 for _ in self.ends())

    def lanes(self):
        for number, (group, start, end) in enumerate(self.ends()):
            yield Lane(self, number, group, start, end)


class Lane:
    def __init__(self, segment, number, group, start, end):
        self.name = f"{segment.role_name(*start)} -> {segment.role_name(*end)}"
        self.number = number
        self.capacity = int(segment.header["arena_bytes"][group])
        control = at("struct lane_control", segment.address + segment.controls + number * size_of("struct lane_control"))
        self.slots = int(segment.header["lane_slots"])
        self.base = segment.address + segment.descriptors + number * self.slots * size_of("struct lane_descriptor")
        ring = control["ring"]
        self.released, self.published = int(ring["c_head"]), int(ring["p_tail"])
        self.waiting = (self.published - self.released) % 2**32
        self.whole = int(ring["size"]) == self.slots and self.waiting < self.slots

    def descriptor(self, position):
        return at("struct lane_descriptor", self.base + position % self.slots * size_of("struct lane_descriptor"))

    def parcels(self):
        """(position, events, bytes, flags) of what waits."""
        end = int(self.descriptor(self.released - 1)["end"])
        for i in range(self.waiting):
            position = (self.released + i) % 2**32
            descriptor = self.descriptor(position)
            yield position, int(descriptor["events"]), int(descriptor["end"]) - end, int(descriptor["flags"])
            end = int(descriptor["end"])


class Hooks(gdb.Command):
    """Show what the processes of a hooksd share: the ring, as this process or core has it."""

    def __init__(self):
        super().__init__("hooks", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


class HooksSegment(gdb.Command):
    """hooks segment: where the ring is mapped, and what its header says."""

    def __init__(self):
        super().__init__("hooks segment", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        segment = Segment()
        header = segment.header
        counts = " ".join(f"{role['plural'].string()}={count}" for role, count in zip(segment.roles, segment.counts))
        print(f"{segment.path} at {segment.address:#x}: '{text_of(header['magic'])}', {int(header['file_bytes'])} bytes")
        print(f"hooksd {text_of(header['version'])}, master {int(header['master_pid'])}, {counts}, "
              f"{int(header['lane_slots'])} slots a lane{', draining' if header['draining'] else ''}"
              f"{', its file has lost its name' if header['file_gone'] else ''}")


class HooksLanes(gdb.Command):
    """hooks lanes: every lane with its number, its positions, and what waits in it."""

    def __init__(self):
        super().__init__("hooks lanes", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        print(f"{'':>4} {'LANE':28} {'PUBLISHED':>10} {'RELEASED':>10} {'WAITING':>7} {'EVENTS':>8} {'BYTES':>10} {'CAPACITY':>10}")
        for lane in Segment().lanes():
            if not lane.whole:
                print(f"{lane.number:4} {lane.name:28} damaged")
                continue
            parcels = list(lane.parcels())
            print(f"{lane.number:4} {lane.name:28} {lane.published:10} {lane.released:10} {lane.waiting:7} "
                  f"{sum(parcel[1] for parcel in parcels):8} {sum(parcel[2] for parcel in parcels):10} {lane.capacity:10}")


class HooksParcels(gdb.Command):
    """hooks parcels NUMBER: the parcels that wait in the lane of that number, which `hooks lanes` tells."""

    def __init__(self):
        super().__init__("hooks parcels", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        lanes = {str(lane.number): lane for lane in Segment().lanes()}
        if argument.strip() not in lanes:
            raise gdb.GdbError(f"There is no lane '{argument}': `hooks lanes` tells their numbers.")
        lane = lanes[argument.strip()]
        if not lane.whole:
            raise gdb.GdbError(f"{lane.name} is damaged.")
        print(f"{lane.name}\n{'POSITION':>10} {'EVENTS':>8} {'BYTES':>10}  FLAGS")
        for position, events, length, flags in lane.parcels():
            print(f"{position:10} {events:8} {length:10}  {flags_of(flags)}")


class HooksSlots(gdb.Command):
    """hooks slots: every process with its pid, state and heartbeat, and its store with the error that it last met."""

    def __init__(self):
        super().__init__("hooks slots", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        segment = Segment()
        print(f"{'PROCESS':15} {'PID':>8}  {'STATE':9} {'STARTS':>7} {'ASLEEP':>6} {'ALIVE UNTIL (us)':>16}  STORE")
        for role, index, slot in segment.processes():
            store = slot["store"]
            error = text_of(store["error"]["texts"][int(store["error"]["turn"]) % 2])
            print(f"{segment.role_name(role, index):15} {int(slot['pid']):8}  {name_of('process_state', slot['state']):9} "
                  f"{int(slot['starts']):7} {'yes' if slot['sleeping'] else 'no':>6} {int(slot['alive_until_us']):16}  "
                  f"{name_of('store_state', store['state'])} {error}".rstrip())


class HooksLedger(gdb.Command):
    """hooks ledger: both pages of every ledger (shm/ledger.h), and the appends that are open."""

    def __init__(self):
        super().__init__("hooks ledger", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        segment = Segment()
        for role, index, ledger in segment.ledgers():
            current = int(ledger["current"])
            print(f"{segment.role_name(role, index)}: page {current} is current, {int(ledger['replays_recorded'])} replays are recorded")
            for p in range(2):
                self.show_page(segment, role, p, ledger["pages"][p])
            for file in range(int(evaluate("APPEND_FILES"))):
                append = ledger["appends"][file]
                if append["state"]:
                    print(f"  append to {name_of('append_file', file)}: {name_of('append_state', append['state'])} at serial "
                          f"{int(append['serial'])}, from byte {int(append['offset'])}, at most {int(append['bytes'])} bytes")

    @staticmethod
    def show_page(segment, role, number, page):
        counters = page["counters"]
        names = names_of("counter")
        counted = "".join(f", {names[c]} {int(counters[c])}" for c in range(counters.type.range()[1] + 1) if counters[c])
        release = " ".join(str(int(page["release"][a])) for a in range(segment.producers(role)))
        print(f"  page {number}: serial {int(page['serial'])}, {name_of('settlement', page['settled_as'])}, "
              f"releases {release}, {int(page['spool_events'])} in the spool, {int(page['replays'])} replays{counted}")


class HooksSave(gdb.Command):
    """hooks save FILE: writes the ring to a new FILE, for `hooksctl ring dump FILE`. The events themselves are left out."""

    def __init__(self):
        super().__init__("hooks save", gdb.COMMAND_DATA, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, from_tty):
        if not argument.strip():
            raise gdb.GdbError("Which file? hooks save FILE")
        segment = Segment()
        slots = segment.lane_count() * int(segment.header["lane_slots"])
        length = segment.descriptors + slots * size_of("struct lane_descriptor")
        ring = gdb.selected_inferior().read_memory(segment.address, length)  # before there is a file: a core may lack it
        try:
            with open(argument.strip(), "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(ring)
                file.truncate(int(segment.header["file_bytes"]))  # of keys and events there are zeros
        except OSError as error:
            raise gdb.GdbError(f"Cannot write the ring: {error}")


for command in (Hooks, HooksSegment, HooksLanes, HooksParcels, HooksSlots, HooksLedger, HooksSave):
    command()
