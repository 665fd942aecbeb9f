"""Message types by name, from one descriptor pool."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message


def pool_of(files: descriptor_pb2.FileDescriptorSet) -> descriptor_pool.DescriptorPool:
    """A pool of its own with the files of a descriptor set, in any order.

    Imports that the set leaves out are taken from what Python has imported; KeyError
    names one that is nowhere to be found.
    """
    pool = descriptor_pool.DescriptorPool()
    given = {file.name: file for file in files.file}
    added: set[str] = set()

    def add(name: str) -> None:
        if name in added:
            return
        added.add(name)
        file = given.get(name)
        if file is None:
            file = descriptor_pb2.FileDescriptorProto()
            descriptor_pool.Default().FindFileByName(name).CopyToProto(file)
        for dependency in file.dependency:
            add(dependency)
        pool.AddSerializedFile(file.SerializeToString())

    for file in files.file:
        add(file.name)
    return pool


class Types:
    """Finds message classes: in the given pool first, then among what Python has imported.

    The second is for the detail types of google.rpc, which a descriptor set seldom holds.
    """

    def __init__(self, pool: descriptor_pool.DescriptorPool) -> None:
        self.pool = pool

    def find(self, full_name: str) -> Descriptor | None:
        """The descriptor of a message type, or None when nobody has heard of it."""
        for pool in (self.pool, descriptor_pool.Default()):
            try:
                return pool.FindMessageTypeByName(full_name)
            except KeyError:
                continue
        return None


def class_of(descriptor: Descriptor) -> type[Message]:
    """The Python class of a message type; the generated one where there is one."""
    return message_factory.GetMessageClass(descriptor)


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map and not merely a repeated message."""
    entry = field.message_type
    return bool(field.is_repeated and entry is not None and entry.GetOptions().map_entry)


def takes_null(field: FieldDescriptor) -> bool:
    """Whether JSON's null is a value of the field and not its absence: Value and NullValue."""
    if field.message_type is not None:
        return bool(field.message_type.full_name == "google.protobuf.Value")
    return field.enum_type is not None and field.enum_type.full_name == "google.protobuf.NullValue"


def is_nullable(field: FieldDescriptor) -> bool:
    """Whether `null` may stand for it: a message or `optional` field, not the member of a real oneof."""
    if takes_null(field):
        # There a null is a value, and would be read back as one.
        return False
    oneof = field.containing_oneof
    # The compiler wraps an `optional` field in a oneof of its own, named after it.
    return bool(field.has_presence and (oneof is None or oneof.name == f"_{field.name}"))
