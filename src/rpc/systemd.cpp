#include "rpc/systemd.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>

#include "core/text.h"
#include "platform/file.h"
#include "platform/host_facts.h"
#include "platform/spawn.h"

namespace knarr::rpc {

namespace {

constexpr const char* kSystemd = "org.freedesktop.systemd1";
constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kMatch =
    "type='signal',sender='org.freedesktop.systemd1',path='/org/freedesktop/systemd1',"
    "interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";
constexpr std::int32_t kSigkill = 9;

void encode_properties(const std::vector<UnitProperty>& properties, dbus::Encoder& out) {
    const auto array = out.begin_array(8);
    for (const UnitProperty& one : properties) {
        out.align(8);
        out.string(one.name);
        out.variant(one.value);
    }
    out.end_array(array);
}

/// Everything in `unit` and what is there by definition.
std::string start_body(const ScopeUnit& unit, pid_t pid) {
    std::vector<UnitProperty> all{
        {.name = "Description", .value = unit.unit.description},
        {.name = "Slice", .value = unit.slice},
        {.name = "PIDs", .value = std::vector<std::uint32_t>{static_cast<std::uint32_t>(pid)}},
        {.name = "Delegate", .value = true},
        {.name = "DefaultDependencies", .value = false},
    };
    all.insert(all.end(), unit.properties.begin(), unit.properties.end());
    dbus::Encoder out;
    out.string(unit.unit.name);
    out.string("replace");
    encode_properties(all, out);
    out.end_array(out.begin_array(8));  // no auxiliary units
    return std::move(out).take();
}

/// "Cannot set property AllowedCPUs, or unknown property.": which one. Source: systemd's
/// bus_unit_set_properties(); there is no error name that says it.
std::string unknown_property(const Error& error) {
    constexpr std::string_view kBefore = "Cannot set property ";
    const std::size_t at = error.message.find(kBefore);
    if (at == std::string::npos) {
        return {};
    }
    const std::size_t start = at + kBefore.size();
    const std::size_t end = error.message.find_first_of(", ", start);
    return error.message.substr(start, end - start);
}

/// Takes out the property that systemd does not know, where the cgroup's files say the same.
bool leave_out(std::vector<UnitProperty>& properties, const Error& error) {
    const std::string name = unknown_property(error);
    const auto found = std::ranges::find(properties, name, &UnitProperty::name);
    if (found == properties.end() || !found->also_in_files) {
        return false;
    }
    properties.erase(found);
    return true;
}

/// The path of "unix:path=/run/user/1000/bus,guid=..."; empty for other kinds. Percent signs are
/// not decoded: paths of a session have none.
std::string path_of_address(std::string_view addresses) {
    for (const std::string_view address : split(addresses, ';')) {
        if (!address.starts_with("unix:")) {
            continue;
        }
        for (const std::string_view part : split(address.substr(5), ',')) {
            if (part.starts_with("path=") && part.find('%') == std::string_view::npos) {
                return std::string(part.substr(5));
            }
        }
    }
    return {};
}

SystemdPlaces own_places() {
    const sys::OwnUser own = sys::own_user();
    SystemdPlaces places;
    places.root = own.uid == 0 && !own.in_user_namespace;
    places.runtime_dir = sys::environment("XDG_RUNTIME_DIR");
    if (places.runtime_dir.empty()) {
        places.runtime_dir = fmt::format("/run/user/{}", own.outer_uid);
    }
    places.session_bus = sys::environment("DBUS_SESSION_BUS_ADDRESS");
    return places;
}

Error no_systemd(SystemdBus bus, const std::string& why) {
    return {.code = Errc::unsupported,
            .message = fmt::format("cgroups by systemd: {}", why),
            .hint = bus == SystemdBus::system
                        ? "use --cgroup-manager cgroupfs (podman: the same option; containerd: "
                          "SystemdCgroup = false)"
                        : "loginctl enable-linger gives the user a session, and XDG_RUNTIME_DIR "
                          "must name its directory; or use --cgroup-manager cgroupfs"};
}

}  // namespace

std::string_view name_of(SystemdBus bus) {
    return bus == SystemdBus::system ? "system" : "user";
}

std::vector<dbus::Endpoint> endpoints(SystemdBus bus, const SystemdPlaces& places) {
    std::vector<dbus::Endpoint> out;
    const auto add = [&](std::string path, bool direct) {
        if (!path.empty()) {
            out.push_back(
                {.path = std::move(path), .direct = direct, .match = direct ? "" : kMatch});
        }
    };
    if (bus == SystemdBus::system) {
        if (places.root) {
            add(places.system_dir + "/private", true);
        }
        add(places.system_bus, false);
    } else {
        add(places.runtime_dir + "/systemd/private", true);
        add(path_of_address(places.session_bus), false);
        add(places.runtime_dir + "/bus", false);
    }
    return out;
}

std::optional<std::string> why_no_systemd(SystemdBus bus) {
    const SystemdPlaces places = own_places();
    // Source: sd_booted(3).
    if (!sys::open_path(places.system_dir + "/system", O_PATH | O_DIRECTORY)) {
        return "systemd is not this host's init: there is no /run/systemd/system";
    }
    for (const dbus::Endpoint& one : endpoints(bus, places)) {
        if (sys::open_path(one.path, O_PATH)) {
            return std::nullopt;
        }
    }
    return bus == SystemdBus::system ? fmt::format("there is no {}", places.system_bus)
                                     : fmt::format("the user has no session: there is no bus in {}",
                                                   printable(places.runtime_dir));
}

Result<Systemd> Systemd::connect(SystemdBus bus) {
    const SystemdPlaces places = own_places();
    const sys::OwnUser own = sys::own_user();
    dbus::Identity who;
    if (!own.in_user_namespace) {
        who.uid = own.uid;
    }
    std::optional<Error> first;
    for (const dbus::Endpoint& one : endpoints(bus, places)) {
        Result<Systemd> connected = connect_to(bus, one, who, kSystemdWait);
        if (connected) {
            return connected;
        }
        const int error = connected.error().sys_errno;
        if (error != ENOENT && error != ECONNREFUSED && error != ENOTDIR && error != EACCES) {
            return fail(std::move(connected).error().within("cgroups by systemd"));
        }
        if (!first || first->sys_errno == ENOENT) {
            first = std::move(connected).error();
        }
    }
    if (const auto why = why_no_systemd(bus)) {
        return fail(no_systemd(bus, *why));
    }
    return fail(no_systemd(bus, first ? first->message : "there is no bus"));
}

Result<Systemd> Systemd::connect_to(SystemdBus bus,
                                    const dbus::Endpoint& endpoint,
                                    dbus::Identity who,
                                    std::chrono::milliseconds patience) {
    dbus::Bus connection =
        KNARR_TRY(dbus::Bus::connect(endpoint, who, std::chrono::steady_clock::now() + patience));
    return Systemd(bus, std::move(connection), patience);
}

Result<std::uint32_t> Systemd::call(const char* member, std::string signature, std::string body) {
    return connection_.call({.path = kManagerPath,
                             .interface = kManager,
                             .member = member,
                             .destination = kSystemd,
                             .signature = std::move(signature),
                             .body = std::move(body)});
}

Result<dbus::Message> Systemd::answer(std::uint32_t serial) {
    dbus::Message reply = KNARR_TRY(connection_.await_reply(serial, deadline()));
    if (reply.type == dbus::MessageType::error) {
        return fail(dbus::error_of(reply));
    }
    return reply;
}

Result<dbus::Message> Systemd::ask(const char* member, std::string signature, std::string body) {
    const std::uint32_t serial = KNARR_TRY(call(member, std::move(signature), std::move(body)));
    return answer(serial);
}

Error Systemd::explain(Error error, const std::string& unit) const {
    const bool user = which_ == SystemdBus::user;
    const char* scope = user ? "--user " : "";
    std::string hint;
    switch (error.code) {
        case Errc::already_exists:
            hint = fmt::format(
                "systemctl {0}status {1} shows what runs there; systemctl {0}stop {1} ends it",
                scope,
                unit);
            break;
        case Errc::denied:
            hint = user ? "loginctl enable-linger gives the user a session of its own; or use "
                          "--cgroup-manager cgroupfs"
                        : "run knarr as root, or use --cgroup-manager cgroupfs";
            break;
        default:
            hint = fmt::format(
                "systemctl {0}status {1}, journalctl {0}-u {1}; or use "
                "--cgroup-manager cgroupfs",
                scope,
                unit);
    }
    return std::move(error).within(fmt::format("systemd unit {}", unit)).advise(hint);
}

Result<> Systemd::await_job(const dbus::Message& reply, std::string_view what) {
    const std::string job = KNARR_TRY(dbus::Decoder(reply).string(), "{}", what);
    std::string result;
    auto removed = connection_.await_signal(
        [&](const dbus::Message& signal) {
            if (signal.member != "JobRemoved" || signal.signature != "uoss") {
                return false;
            }
            dbus::Decoder in(signal);
            if (!in.u32() || in.string().value_or("") != job || !in.string()) {
                return false;
            }
            result = in.string().value_or("");
            return true;
        },
        deadline());
    KNARR_TRY(std::move(removed), "{}", what);
    if (result != "done") {
        return fail(result == "timeout" ? Errc::timed_out : Errc::unsupported,
                    "{}: its job ended with \"{}\"",
                    what,
                    printable(result, 32));
    }
    return {};
}

Result<> Systemd::reset_failed(const std::string& unit) {
    dbus::Encoder body;
    body.string(unit);
    const auto reset = ask("ResetFailedUnit", "s", std::move(body).take());
    if (!reset && reset.error().code != Errc::not_found) {
        return fail(reset.error());
    }
    return {};
}

Result<> Systemd::start_scope(const ScopeUnit& unit, pid_t pid) {
    starting_ = KNARR_TRY(call("StartTransientUnit", "ssa(sv)a(sa(sv))", start_body(unit, pid)));
    return {};
}

Result<> Systemd::await_started(const ScopeUnit& unit, pid_t pid) {
    const std::string& name = unit.unit.name;
    ScopeUnit tried = unit;
    bool was_reset = false;
    while (true) {
        Result<dbus::Message> reply = answer(*starting_);
        Result<> done = reply ? await_job(*reply, "start it") : fail(reply.error());
        if (done) {
            return {};
        }
        const bool stands = !reply && reply.error().code == Errc::already_exists;
        if (stands && !was_reset) {
            was_reset = true;
            KNARR_TRY(reset_failed(name));
        } else if (reply || !leave_out(tried.properties, reply.error())) {
            return fail(explain(std::move(done).error(), name));
        }
        KNARR_TRY(start_scope(tried, pid));
    }
}

Result<> Systemd::stop(const std::string& unit) {
    dbus::Encoder body;
    body.string(unit);
    body.string("replace");
    const auto reply = ask("StopUnit", "ss", std::move(body).take());
    if (!reply && reply.error().code == Errc::not_found) {
        return {};
    }
    Result<> done = reply ? await_job(*reply, "stop it") : fail(reply.error());
    if (!done) {
        return fail(explain(std::move(done).error(), unit));
    }
    const Result<> forgotten = reset_failed(unit);
    return forgotten ? Result<>{} : fail(explain(forgotten.error(), unit));
}

Result<bool> Systemd::kill_and_stop(const UnitName& unit) {
    const auto found = description(unit.name);
    if (!found) {
        return fail(explain(found.error(), unit.name));
    }
    if (!*found || **found != unit.description) {
        return !*found;
    }
    dbus::Encoder body;
    body.string(unit.name);
    body.string("all");
    body.u32(static_cast<std::uint32_t>(kSigkill));
    // A unit without processes has nobody to kill, which systemd calls an error; stop tells.
    static_cast<void>(ask("KillUnit", "ssi", std::move(body).take()));
    KNARR_TRY(stop(unit.name));
    return true;
}

Result<> Systemd::set_properties(const std::string& unit, std::vector<UnitProperty> properties) {
    while (!properties.empty()) {
        dbus::Encoder body;
        body.string(unit);
        body.u32(1);  // for this run of it only
        encode_properties(properties, body);
        const auto reply = ask("SetUnitProperties", "sba(sv)", std::move(body).take());
        if (reply) {
            return {};
        }
        if (!leave_out(properties, reply.error())) {
            return fail(explain(reply.error(), unit));
        }
    }
    return {};
}

Result<> Systemd::attach(const std::string& unit, const std::string& sub, pid_t pid) {
    dbus::Encoder body;
    body.string(unit);
    body.string(sub);
    const auto array = body.begin_array(4);
    body.u32(static_cast<std::uint32_t>(pid));
    body.end_array(array);
    const auto reply = ask("AttachProcessesToUnit", "ssau", std::move(body).take());
    return reply ? Result<>{} : fail(explain(reply.error(), unit));
}

Result<std::optional<std::string>> Systemd::description(const std::string& unit) {
    dbus::Encoder name;
    name.string(unit);
    const auto path = ask("GetUnit", "s", std::move(name).take());
    if (!path) {
        return path.error().code == Errc::not_found
                   ? Result<std::optional<std::string>>(std::nullopt)
                   : fail(path.error());
    }
    dbus::Encoder body;
    body.string("org.freedesktop.systemd1.Unit");
    body.string("Description");
    std::string object = KNARR_TRY(dbus::Decoder(*path).string());
    const std::uint32_t serial =
        KNARR_TRY(connection_.call({.path = std::move(object),
                                    .interface = "org.freedesktop.DBus.Properties",
                                    .member = "Get",
                                    .destination = kSystemd,
                                    .signature = "ss",
                                    .body = std::move(body).take()}));
    const dbus::Message reply = KNARR_TRY(answer(serial));
    dbus::Decoder in(reply);
    if (KNARR_TRY(in.signature()) != "s") {
        return fail(Errc::io, "systemd's answer is no text");
    }
    return KNARR_TRY(in.string());
}

}  // namespace knarr::rpc
