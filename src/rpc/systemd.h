#pragma once
// What knarr asks of systemd: a scope around a container's first process, other limits for it, and
// its end. Over systemd's own D-Bus interface, without a library.
//
//   connect            the manager of the system, or of the caller's own session
//   start_scope        goes out; systemd works while the caller goes on
//   await_started      until the job is done
//   stop               and forget a failed unit; one that is not there is stopped already
//
// Source: org.freedesktop.systemd1(5); "The New Control Group Interfaces" of systemd's
// documentation.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "rpc/dbus_bus.h"

namespace knarr::rpc {

/// For an answer, and for a job.
inline constexpr std::chrono::seconds kSystemdWait{30};

enum class SystemdBus : std::uint8_t { system, user };
std::string_view name_of(SystemdBus bus);

struct UnitProperty {
    std::string name;
    dbus::Value value;
    /// The cgroup's own files say the same: a systemd that is too old for it may leave it out.
    bool also_in_files = false;
    bool operator==(const UnitProperty&) const = default;
};

/// A unit as a record keeps it: enough to find it again and to see that it is ours.
struct UnitName {
    SystemdBus bus = SystemdBus::system;
    std::string name;         // "knarr-web.scope"
    std::string description;  // "knarr container web (/run/knarr)"
    bool operator==(const UnitName&) const = default;
};

/// Everything that a unit is before there is a process in it.
struct ScopeUnit {
    UnitName unit;
    std::string slice;  // "system.slice"
    std::vector<UnitProperty> properties;
};

class Systemd {
public:
    /// Errors: unsupported with the fix where no such manager runs; denied; timed_out.
    static Result<Systemd> connect(SystemdBus bus);
    /// The same by an endpoint, for tests.
    static Result<Systemd> connect_to(SystemdBus bus,
                                      const dbus::Endpoint& endpoint,
                                      dbus::Identity who,
                                      std::chrono::milliseconds patience);

    /// Asks for the scope with this process in it.
    Result<> start_scope(const ScopeUnit& unit, pid_t pid);
    /// Waits for what start_scope asked for. A unit of that name which failed earlier is forgotten
    /// first.
    /// Errors: already_exists when another such unit runs; denied; unsupported for a property that
    /// systemd refuses or a job that failed; timed_out. Then there is no unit of ours.
    Result<> await_started(const ScopeUnit& unit, pid_t pid);
    /// Stops the unit, waits until it is gone and forgets that it failed, if so.
    Result<> stop(const std::string& unit);
    /// SIGKILL for everything in it, then stop(): only where its description is ours. False: there
    /// is a unit of that name, and it is somebody else's.
    Result<bool> kill_and_stop(const UnitName& unit);
    /// Limits of a running unit, until it ends.
    Result<> set_properties(const std::string& unit, std::vector<UnitProperty> properties);
    /// Has systemd move a process into a cgroup of the unit ("" or "/sub"), where the kernel does
    /// not let us.
    Result<> attach(const std::string& unit, const std::string& sub, pid_t pid);
    /// The unit's description; nothing when there is no such unit.
    Result<std::optional<std::string>> description(const std::string& unit);

private:
    Systemd(SystemdBus bus, dbus::Bus connection, std::chrono::milliseconds patience)
        : which_(bus), connection_(std::move(connection)), patience_(patience) {}

    dbus::Deadline deadline() const { return std::chrono::steady_clock::now() + patience_; }
    Result<std::uint32_t> call(const char* member, std::string signature, std::string body);
    /// The answer to a call; an error of systemd's as an Error.
    Result<dbus::Message> answer(std::uint32_t serial);
    Result<dbus::Message> ask(const char* member, std::string signature, std::string body);
    Result<> await_job(const dbus::Message& reply, std::string_view what);
    Result<> reset_failed(const std::string& unit);
    Error explain(Error error, const std::string& unit) const;

    SystemdBus which_;
    dbus::Bus connection_;
    std::chrono::milliseconds patience_;
    std::optional<std::uint32_t> starting_;  // the call of start_scope
};

/// Where the manager of the host, or of a user's session, can be reached, the best first. `outer`
/// is the user's number outside of our user namespace.
struct SystemdPlaces {
    std::string system_dir = "/run/systemd", system_bus = "/run/dbus/system_bus_socket";
    std::string runtime_dir;  // XDG_RUNTIME_DIR
    std::string session_bus;  // DBUS_SESSION_BUS_ADDRESS
    bool root = false;
};
std::vector<dbus::Endpoint> endpoints(SystemdBus bus, const SystemdPlaces& places);

/// Whether such a manager seems to be there, without speaking to it. Nothing: it is; else why not.
std::optional<std::string> why_no_systemd(SystemdBus bus);

}  // namespace knarr::rpc
