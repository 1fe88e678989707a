#include "rpc/systemd.h"

#include <functional>
#include <thread>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/file.h"

namespace knarr::rpc {

namespace {

using dbus::Decoder;
using dbus::Encoder;
using dbus::Message;
using dbus::MessageType;

constexpr std::chrono::seconds kPatience{5};           // for what comes
constexpr std::chrono::milliseconds kImpatience{100};  // for what does not come

/// One client as a server sees it: bytes in, messages out. Runs in a thread of the test.
class Peer {
public:
    explicit Peer(int fd) : fd_(fd) {}

    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t put = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (put <= 0) {
                return;
            }
            bytes.remove_prefix(static_cast<std::size_t>(put));
        }
    }
    void send(Message message) {
        message.serial = ++serial_;
        send(dbus::encode(message));
    }
    /// Reads up to BEGIN; what the client said.
    std::string handshake(std::string_view answer = "OK 0123456789abcdef0123456789abcdef\r\n") {
        while (input_.find("BEGIN\r\n") == std::string::npos && more()) {
        }
        const std::size_t end = std::min(input_.find("BEGIN\r\n"), input_.size() - 7) + 7;
        std::string said = input_.substr(0, end);
        input_.erase(0, end);
        send(answer);
        return said;
    }
    /// The next call; one without a member when the client is gone.
    Message next() {
        while (input_.size() < dbus::kFixedHeaderBytes ||
               input_.size() < dbus::message_size(input_).value()) {
            if (!more()) {
                return {};
            }
        }
        const std::size_t size = dbus::message_size(input_).value();
        Message message = dbus::decode(std::string_view(input_).substr(0, size)).value();
        input_.erase(0, size);
        return message;
    }
    /// Until the client hangs up.
    void drain() {
        while (more()) {
        }
    }
    void reply(const Message& call, std::string_view text = {}) {
        Message out{.type = MessageType::reply, .reply_serial = call.serial};
        if (!text.empty()) {
            Encoder body;
            body.string(text);
            out.signature = "o";
            out.body = std::move(body).take();
        }
        send(std::move(out));
    }
    void error(const Message& call, const std::string& name, std::string_view text) {
        Encoder body;
        body.string(text);
        send(Message{.type = MessageType::error,
                     .reply_serial = call.serial,
                     .error_name = name,
                     .signature = "s",
                     .body = std::move(body).take()});
    }
    void job_removed(std::string_view job, std::string_view result) {
        Encoder body;
        body.u32(7);
        body.string(job);
        body.string("knarr-web.scope");
        body.string(result);
        send(Message{.type = MessageType::signal,
                     .path = "/org/freedesktop/systemd1",
                     .interface = "org.freedesktop.systemd1.Manager",
                     .member = "JobRemoved",
                     .signature = "uoss",
                     .body = std::move(body).take()});
    }

private:
    bool more() {
        char buffer[4096];
        const ssize_t got = read(fd_.get(), buffer, sizeof buffer);
        if (got > 0) {
            input_.append(buffer, static_cast<std::size_t>(got));
        }
        return got > 0;
    }
    sys::Fd fd_;
    std::string input_;
    std::uint32_t serial_ = 0;
};

/// A server that plays one scripted conversation.
class FakeSystemd {
public:
    explicit FakeSystemd(std::function<void(Peer&)> script) {
        dir_ = testing::TempDir() + "/systemd-XXXXXX";
        EXPECT_NE(mkdtemp(dir_.data()), nullptr);
        path_ = dir_ + "/private";
        listener_ = sys::Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(listen(listener_.get(), 1), 0);
        thread_ = std::thread([this, script = std::move(script)] {
            const int client = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
            if (client >= 0) {
                Peer peer(client);
                script(peer);
                peer.drain();
            }
        });
    }
    ~FakeSystemd() {
        shutdown(listener_.get(), SHUT_RDWR);  // ends an accept that nobody answered
        thread_.join();
        unlink(path_.c_str());
        rmdir(dir_.c_str());
    }
    FakeSystemd(const FakeSystemd&) = delete;
    FakeSystemd& operator=(const FakeSystemd&) = delete;

    Result<Systemd> connect(std::chrono::milliseconds patience = kPatience) const {
        return Systemd::connect_to(
            SystemdBus::system, {.path = path_, .direct = true}, {.uid = 0}, patience);
    }
    const std::string& path() const { return path_; }

private:
    std::string dir_, path_;
    sys::Fd listener_;
    std::thread thread_;
};

ScopeUnit web() {
    return {
        .unit = {.bus = SystemdBus::system,
                 .name = "knarr-web.scope",
                 .description = "knarr container web (/run/knarr)"},
        .slice = "system.slice",
        .properties = {{.name = "MemoryMax", .value = std::uint64_t{1U << 20U}},
                       {.name = "AllowedCPUs", .value = dbus::Bytes{3}, .also_in_files = true}}};
}

Result<> start(const FakeSystemd& server, std::chrono::milliseconds patience = kPatience) {
    Systemd systemd = KNARR_TRY(server.connect(patience));
    KNARR_TRY(systemd.start_scope(web(), 42));
    return systemd.await_started(web(), 42);
}

}  // namespace

TEST(Systemd, StartsAScopeWithItsProcessAndWaitsForTheJob) {
    std::string said;
    Message call;
    FakeSystemd server([&](Peer& peer) {
        said = peer.handshake();
        call = peer.next();
        peer.reply(call, "/org/freedesktop/systemd1/job/7");
        peer.job_removed("/org/freedesktop/systemd1/job/6", "failed");  // somebody else's
        peer.job_removed("/org/freedesktop/systemd1/job/7", "done");
    });
    const Result<> started = start(server);
    ASSERT_TRUE(started) << started.error().message;
    EXPECT_EQ(said, std::string("\0AUTH EXTERNAL 30\r\nBEGIN\r\n", 26));
    EXPECT_EQ(call.member, "StartTransientUnit");
    EXPECT_EQ(call.path, "/org/freedesktop/systemd1");
    EXPECT_EQ(call.destination, "org.freedesktop.systemd1");
    EXPECT_EQ(call.signature, "ssa(sv)a(sa(sv))");
    Decoder body(call);
    EXPECT_EQ(body.string().value(), "knarr-web.scope");
    EXPECT_EQ(body.string().value(), "replace");
    EXPECT_TRUE(body.u32());
    EXPECT_TRUE(body.align(8));
    EXPECT_EQ(body.string().value(), "Description");
    EXPECT_EQ(body.signature().value(), "s");
    EXPECT_EQ(body.string().value(), "knarr container web (/run/knarr)");
    EXPECT_NE(call.body.find(std::string("PIDs\0\2au\0", 9)), std::string::npos);
    EXPECT_NE(call.body.find(std::string("Delegate\0\1b\0", 12)), std::string::npos);
    EXPECT_NE(call.body.find("MemoryMax"), std::string::npos);
}

TEST(Systemd, OnABusHelloAndTheMatchComeFirst) {
    std::vector<std::string> members;
    std::string said;
    FakeSystemd server([&](Peer& peer) {
        said = peer.handshake("DATA\r\nOK 0123\r\n");
        for (int i = 0; i < 3; ++i) {
            const Message call = peer.next();
            members.push_back(call.member);
            peer.reply(call, "/job/7");
        }
        peer.job_removed("/job/7", "done");
    });
    const auto places = endpoints(SystemdBus::system, {.root = false});
    auto systemd = Systemd::connect_to(
        SystemdBus::user, {.path = server.path(), .match = places[0].match}, {}, kPatience);
    ASSERT_TRUE(systemd);
    ASSERT_TRUE(systemd->start_scope(web(), 42));
    ASSERT_TRUE(systemd->await_started(web(), 42));
    EXPECT_EQ(members, (std::vector<std::string>{"Hello", "AddMatch", "StartTransientUnit"}));
    // In a user namespace our number is not the one that the server sees: it asks the kernel.
    EXPECT_EQ(said, std::string("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n", 29));
}

TEST(Systemd, AJobThatFailsIsAnErrorWithItsResult) {
    FakeSystemd server([](Peer& peer) {
        peer.handshake();
        peer.reply(peer.next(), "/job/7");
        peer.job_removed("/job/7", "failed");
    });
    const Result<> started = start(server);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().message,
              "systemd unit knarr-web.scope: start it: its job ended with \"failed\"");
    EXPECT_NE(started.error().hint.find("systemctl status knarr-web.scope"), std::string::npos);
}

TEST(Systemd, AUnitThatFailedEarlierIsForgottenFirst) {
    std::vector<std::string> members;
    FakeSystemd server([&](Peer& peer) {
        peer.handshake();
        Message call = peer.next();
        members.push_back(call.member);
        peer.error(call, "org.freedesktop.systemd1.UnitExists", "Unit was already loaded");
        call = peer.next();
        members.push_back(call.member);
        peer.reply(call);
        call = peer.next();
        members.push_back(call.member);
        peer.reply(call, "/job/8");
        peer.job_removed("/job/8", "done");
    });
    const Result<> started = start(server);
    ASSERT_TRUE(started) << started.error().message;
    EXPECT_EQ(
        members,
        (std::vector<std::string>{"StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"}));
}

TEST(Systemd, AUnitThatRunsIsSomebodyElses) {
    FakeSystemd server([](Peer& peer) {
        peer.handshake();
        for (Message call = peer.next(); !call.member.empty(); call = peer.next()) {
            if (call.member == "ResetFailedUnit") {
                peer.reply(call);
            } else {
                peer.error(call, "org.freedesktop.systemd1.UnitExists", "Unit was already loaded");
            }
        }
    });
    const Result<> started = start(server);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Errc::already_exists);
    EXPECT_NE(started.error().hint.find("systemctl stop knarr-web.scope"), std::string::npos);
}

TEST(Systemd, APropertyThatFilesHaveTooMayBeUnknownAndOthersMayNot) {
    int calls = 0;
    FakeSystemd server([&](Peer& peer) {
        peer.handshake();
        const Message first = peer.next();
        ++calls;
        peer.error(first,
                   "org.freedesktop.DBus.Error.PropertyReadOnly",
                   "Cannot set property AllowedCPUs, or unknown property.");
        const Message second = peer.next();
        calls += second.body.find("AllowedCPUs") == std::string::npos ? 1 : 100;
        peer.error(second,
                   "org.freedesktop.DBus.Error.PropertyReadOnly",
                   "Cannot set property MemoryMax, or unknown property.");
    });
    const Result<> started = start(server);
    ASSERT_FALSE(started);
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(started.error().code, Errc::unsupported);
    EXPECT_NE(started.error().message.find("MemoryMax"), std::string::npos);
}

TEST(Systemd, PermissionDeniedSaysWhatToDo) {
    FakeSystemd server([](Peer& peer) {
        peer.handshake();
        peer.error(peer.next(), "org.freedesktop.DBus.Error.AccessDenied", "Access\nDenied");
    });
    const Result<> started = start(server);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Errc::denied);
    EXPECT_EQ(started.error().message.find('\n'), std::string::npos);
    EXPECT_NE(started.error().hint.find("cgroupfs"), std::string::npos);
}

TEST(Systemd, ARefusedHandshakeIsDenied) {
    FakeSystemd server([](Peer& peer) { peer.handshake("REJECTED EXTERNAL\r\n"); });
    const Result<> started = start(server);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Errc::denied);
}

TEST(Systemd, NothingIsAskedBeforeTheHandshakeIsAnswered) {
    FakeSystemd server([](Peer& peer) { peer.handshake("REJECTED EXTERNAL\r\n"); });
    const auto connected = server.connect();  // a call of ours need not follow to see it
    ASSERT_FALSE(connected);
    EXPECT_EQ(connected.error().code, Errc::denied);
}

TEST(Systemd, ASilentServerCostsABoundedTime) {
    FakeSystemd silent([](Peer&) {});
    const Result<> handshake = start(silent, kImpatience);
    ASSERT_FALSE(handshake);
    EXPECT_EQ(handshake.error().code, Errc::timed_out);

    FakeSystemd no_job([](Peer& peer) {
        peer.handshake();
        peer.reply(peer.next(), "/job/7");
    });
    const Result<> started = start(no_job, kImpatience);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Errc::timed_out);
    EXPECT_NE(started.error().message.find("knarr-web.scope"), std::string::npos);
}

TEST(Systemd, AServerThatHangsUpIsAnError) {
    for (const int step : {0, 1}) {
        FakeSystemd server([&](Peer& peer) {
            if (step > 0) {
                peer.handshake();
                peer.next();
            }
            peer = Peer(-1);  // closes
        });
        const Result<> started = start(server);
        ASSERT_FALSE(started);
        EXPECT_NE(started.error().code, Errc::timed_out) << started.error().message;
    }
}

TEST(Systemd, GarbageInsteadOfDbusIsRefused) {
    FakeSystemd http([](Peer& peer) { peer.handshake("HTTP/1.1 400 Bad Request\r\n"); });
    EXPECT_FALSE(start(http));
    FakeSystemd endless([](Peer& peer) { peer.handshake(std::string(100'000, 'x')); });
    EXPECT_FALSE(start(endless));
    FakeSystemd huge([](Peer& peer) {
        peer.handshake();
        peer.send(std::string_view("l\2\0\1\xff\xff\xff\xff\1\0\0\0\0\0\0\0", 16));
    });
    const Result<> started = start(huge);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Errc::limit_exceeded);
}

TEST(Systemd, StopOfAUnitThatIsGoneIsDone) {
    FakeSystemd server([](Peer& peer) {
        peer.handshake();
        peer.error(peer.next(), "org.freedesktop.systemd1.NoSuchUnit", "Unit not loaded.");
    });
    auto systemd = server.connect();
    ASSERT_TRUE(systemd);
    EXPECT_TRUE(systemd->stop("knarr-web.scope"));
}

TEST(Systemd, KillAndStopLeavesAUnitOfSomebodyElseAlone) {
    std::vector<std::string> members;
    FakeSystemd server([&](Peer& peer) {
        peer.handshake();
        Message call = peer.next();
        members.push_back(call.member);
        peer.reply(call, "/unit/x");
        call = peer.next();
        members.push_back(call.member);
        Encoder body;
        body.variant(std::string("libcontainer container web"));
        peer.send(Message{.type = MessageType::reply,
                          .reply_serial = call.serial,
                          .signature = "v",
                          .body = std::move(body).take()});
    });
    {
        auto systemd = server.connect();
        ASSERT_TRUE(systemd);
        const Result<bool> ours = systemd->kill_and_stop(web().unit);
        ASSERT_TRUE(ours) << ours.error().message;
        EXPECT_FALSE(*ours);
    }
    EXPECT_EQ(members, (std::vector<std::string>{"GetUnit", "Get"}));
}

TEST(Systemd, PlacesOfTheManagersInOrder) {
    const auto paths = [](SystemdBus bus, const SystemdPlaces& places) {
        std::vector<std::string> out;
        for (const dbus::Endpoint& one : endpoints(bus, places)) {
            out.push_back((one.direct ? "direct " : "bus ") + one.path);
            EXPECT_EQ(one.match.empty(), one.direct);
        }
        return out;
    };
    EXPECT_EQ(paths(SystemdBus::system, {.root = true}),
              (std::vector<std::string>{"direct /run/systemd/private",
                                        "bus /run/dbus/system_bus_socket"}));
    EXPECT_EQ(
        paths(
            SystemdBus::user,
            {.runtime_dir = "/run/user/1000", .session_bus = "tcp:host=x;unix:path=/tmp/b,guid=1"}),
        (std::vector<std::string>{
            "direct /run/user/1000/systemd/private", "bus /tmp/b", "bus /run/user/1000/bus"}));
}

}  // namespace knarr::rpc
