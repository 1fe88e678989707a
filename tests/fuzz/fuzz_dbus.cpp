// Any bytes as a D-Bus message: refused or decoded, and what is decoded can be read in every way
// that the client of systemd reads, and survives a round trip.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "rpc/dbus_bus.h"
#include "rpc/dbus_wire.h"

namespace {

namespace dbus = knarr::rpc::dbus;

bool same_header(const dbus::Message& a, const dbus::Message& b) {
    return a.type == b.type && a.serial == b.serial && a.reply_serial == b.reply_serial &&
           a.path == b.path && a.interface == b.interface && a.member == b.member &&
           a.error_name == b.error_name && a.destination == b.destination && a.sender == b.sender &&
           a.signature == b.signature && a.body == b.body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto message = dbus::decode(bytes);
    if (!message) {
        return 0;
    }
    const auto again = dbus::decode(dbus::encode(*message));
    if (!again || !same_header(*message, *again)) {
        std::abort();
    }
    static_cast<void>(dbus::error_of(*message));
    for (const char type : std::string_view("ynqbiuhxtdsoga(v")) {
        dbus::Decoder in(*message);
        while (!in.at_end() && in.skip(type)) {
        }
    }
    return 0;
}
