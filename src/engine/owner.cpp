#include "engine/owner.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <span>

#include <sched.h>
#include <unistd.h>

#include "core/core.h"
#include "core/fault.h"
#include "core/text.h"
#include "engine/owner_values.h"
#include "engine/tree_copy.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/host_facts.h"
#include "platform/pidfd.h"
#include "platform/process.h"
#include "platform/socket.h"
#include "platform/task.h"
#include "platform/worker.h"
#include "runtime/launch/id_maps.h"
#include "runtime/launch/user_maps.h"
#include "runtime/native/id_maps.h"
#include "store/store.h"

namespace knarr::engine {

namespace {

constexpr std::size_t kMaxResultBytes = 16 * size::kMiB;
constexpr const char* kWhat = "a user namespace for the files of images";

Result<runtime::IdMaps> owner_maps() {
    runtime::UserMaps maps = runtime::probe_user_maps();
    spec::Linux linux_config;
    linux_config.uid_mappings = std::move(maps.uids);
    linux_config.gid_mappings = std::move(maps.gids);
    const sys::HostFacts host = KNARR_TRY(sys::probe_host());
    return KNARR_TRY(runtime::native::plan_id_maps(linux_config, host), "{}", kWhat);
}

// In a program with threads another call's child may hold copies of our pipes' ends for as long as
// it works: so nothing here waits for a pipe to be closed. What is told says where it ends, and who
// tells is watched besides.

/// With its length before it. Fails when nobody listens any more: then the work is to end, which
/// its caller sees to.
void send(const sys::Fd& pipe, std::string_view text) {
    const auto length = static_cast<std::uint32_t>(std::min<std::size_t>(text.size(), UINT32_MAX));
    std::string packet(reinterpret_cast<const char*>(&length), sizeof length);
    packet += text;
    static_cast<void>(sys::write_all(pipe, packet));
}

/// Less than all of `into`: the process that writes is gone, or has closed the pipe.
Result<std::size_t> receive_bytes(const sys::Fd& process,
                                  const sys::Fd& pipe,
                                  std::span<char> into) {
    std::size_t got = 0;
    while (got < into.size() && KNARR_TRY(sys::wait_readable_from(pipe, process))) {
        const std::size_t some = KNARR_TRY(sys::read_some(pipe, into.subspan(got)));
        if (some == 0) {
            break;
        }
        got += some;
    }
    return got;
}

/// Nothing: it has ended without.
Result<std::optional<std::string>> receive(const sys::Fd& process,
                                           const sys::Fd& pipe,
                                           std::size_t max_bytes) {
    std::uint32_t length = 0;
    const std::span<char> head(reinterpret_cast<char*>(&length), sizeof length);
    if (KNARR_TRY(receive_bytes(process, pipe, head)) != head.size()) {
        return std::nullopt;
    }
    if (length > max_bytes) {
        return fail(Errc::limit_exceeded,
                    "what is done as the owner of the images tells {} bytes, at most {} are "
                    "allowed",
                    length,
                    max_bytes);
    }
    std::string text(length, '\0');
    if (KNARR_TRY(receive_bytes(process, pipe, text)) != text.size()) {
        return std::nullopt;
    }
    return text;
}

/// Waits for the other end's word. False: it is gone.
bool await_word(const sys::Fd& pipe) {
    char word = 0;
    const auto got = sys::read_full(pipe, std::span(&word, 1));
    return got && *got == 1;
}

[[noreturn]] void be_owner(sys::Pipe go,
                           sys::Pipe answer,
                           const std::function<Result<std::string>()>& work) {
    go.write.reset();
    answer.read.reset();
    if (!sys::set_die_with_parent(true) || !await_word(go.read)) {
        _exit(1);
    }
    send(answer.write, sys::encode_result(work()));
    _exit(0);
}

}  // namespace

bool is_ordinary_user() {
    return sys::effective_uid() != 0;
}

Result<> check_users_way(const std::string& data_root) {
    return is_ordinary_user() ? store::check_way(data_root) : Result<>{};
}

Result<> enter_owner_namespace(const std::string& data_root) {
    if (!is_ordinary_user()) {
        return {};
    }
    KNARR_TRY(check_users_way(data_root));
    const runtime::IdMaps maps = KNARR_TRY(owner_maps());
    sys::Pipe hold = KNARR_TRY(sys::make_pipe());
    const sys::Clone holder = KNARR_TRY(sys::clone_process(CLONE_NEWUSER), "{}", kWhat);
    if (holder.in_child()) {
        hold.write.reset();
        static_cast<void>(await_word(hold.read));
        _exit(0);
    }
    Result<> done = runtime::write_id_maps(holder.pid, maps);
    if (done) {
        done = sys::enter_namespaces_of(holder.pidfd, CLONE_NEWUSER);
    }
    sys::kill_and_reap(holder.pidfd);
    KNARR_TRY(std::move(done), "{}", kWhat);
    return sys::unshare_namespaces(CLONE_NEWNS);
}

Result<> enter_namespace_of(const sys::Fd& process) {
    if (!is_ordinary_user()) {
        return {};
    }
    // A program in there with CAP_SYS_PTRACE that sees our processes (--pid host) is kept out of
    // this one, which has the host's files in reach: before we are in there, too.
    KNARR_TRY(sys::set_dumpable(false));
    Result<> entered = sys::enter_namespaces_of(process, CLONE_NEWUSER);
    if (!entered && entered.error().sys_errno == EINVAL) {
        return sys::set_dumpable(true);  // it is the one that we are in
    }
    KNARR_TRY(std::move(entered));
    return fault_point("owner.joined");
}

namespace {

/// A child that works in such namespaces, and where it answers.
struct OwnerChild {
    sys::Fd process, answer;
};

Result<OwnerChild> start_owner(const std::function<Result<std::string>()>& work) {
    const runtime::IdMaps maps = KNARR_TRY(owner_maps());
    sys::Pipe go = KNARR_TRY(sys::make_pipe());
    sys::Pipe answer = KNARR_TRY(sys::make_pipe());
    sys::Clone owner = KNARR_TRY(sys::clone_process(CLONE_NEWUSER | CLONE_NEWNS), "{}", kWhat);
    if (owner.in_child()) {
        be_owner(std::move(go), std::move(answer), work);
    }
    answer.write.reset();
    Result<> told = runtime::write_id_maps(owner.pid, maps);
    if (told) {
        told = sys::write_all(go.write, "g");
    }
    if (!told) {
        sys::kill_and_reap(owner.pidfd);
        return fail(std::move(told).error().within(kWhat));
    }
    return OwnerChild{.process = std::move(owner.pidfd), .answer = std::move(answer.read)};
}

Result<std::string> finish_owner(const OwnerChild& owner) {
    const auto bytes = receive(owner.process, owner.answer, kMaxResultBytes);
    if (!bytes) {
        sys::kill_and_reap(owner.process);  // it may be writing, for ever
        return fail(bytes.error());
    }
    KNARR_TRY(sys::reap(owner.process), "{}", kWhat);
    return sys::decode_result(bytes->value_or(std::string()));
}

// News go through a pipe of their own; an empty piece is the end of them.
constexpr std::size_t kMaxNewsBytes = 1 << 20;

/// One piece of news; false: there are no more.
Result<bool> hear(const OwnerChild& owner, const sys::Fd& pipe, const CallerSide& caller) {
    const auto news = KNARR_TRY(receive(owner.process, pipe, kMaxNewsBytes));
    if (!news || news->empty()) {
        return false;
    }
    KNARR_TRY(caller.hear(*news));
    return true;
}

/// Until the work has no more to tell. Says so through `cancel` when it is to end.
Result<> listen(const OwnerChild& owner,
                const sys::Fd& pipe,
                const sys::Fd& cancel,
                const CallerSide& caller) {
    bool asks = true;
    while (true) {
        std::array<sys::Ready, 3> items{sys::Ready{.fd = pipe.get()},
                                        sys::Ready{.fd = owner.process.get()},
                                        sys::Ready{.fd = asks ? caller.cancel_fd : -1}};
        KNARR_TRY(sys::wait_ready(items, -1));
        if (items[2].is_ready) {
            asks = false;
            static_cast<void>(sys::write_all(cancel, "c"));
        }
        if ((items[0].is_ready || items[1].is_ready) && !KNARR_TRY(hear(owner, pipe, caller))) {
            return {};
        }
    }
}

}  // namespace

Result<std::string> as_owner(const std::function<Result<std::string>()>& work) {
    if (!is_ordinary_user()) {
        return work();
    }
    const OwnerChild owner = KNARR_TRY(start_owner(work));
    return finish_owner(owner);
}

Result<std::string> as_owner(const std::function<Result<std::string>(const OwnerSide&)>& work,
                             const CallerSide& caller) {
    sys::Pipe news = KNARR_TRY(sys::make_pipe());
    sys::Pipe cancel = KNARR_TRY(sys::make_pipe());
    const OwnerChild owner = KNARR_TRY(start_owner([&]() -> Result<std::string> {
        news.read.reset();
        cancel.write.reset();
        Result<std::string> done =
            work({.tell = [&](std::string_view one) { send(news.write, one); },
                  .cancel_fd = cancel.read.get()});
        send(news.write, "");  // before the answer, for which nobody waits until then
        return done;
    }));
    news.write.reset();
    // Our end to read stays open, so that a word to one who is gone is no SIGPIPE.
    if (Result<> heard = listen(owner, news.read, cancel.write, caller); !heard) {
        sys::kill_and_reap(owner.process);
        return fail(std::move(heard).error());
    }
    return finish_owner(owner);
}

Result<> do_as_owner(const std::function<Result<>()>& work) {
    const Result<std::string> done = as_owner([&]() -> Result<std::string> {
        Result<> one = work();
        return one ? Result<std::string>(std::string()) : fail(std::move(one).error());
    });
    return done ? Result<>{} : fail(done.error());
}

Result<> remove_owned_tree(const sys::Fd& parent, const std::string& name) {
    Result<> gone = sys::remove_tree_at(parent, name);
    const bool closed =
        !gone && (gone.error().sys_errno == EACCES || gone.error().sys_errno == EPERM);
    if (!closed || !is_ordinary_user()) {
        return gone;
    }
    return do_as_owner([&] { return sys::remove_tree_at(parent, name); });
}

Result<std::uint64_t> owned_tree_bytes(const sys::Fd& dir) {
    Result<std::uint64_t> bytes = tree_bytes(dir);
    if (bytes || bytes.error().sys_errno != EACCES || !is_ordinary_user()) {
        return bytes;
    }
    return value_as_owner<std::uint64_t>([&] { return tree_bytes(dir); });
}

void add_owner_namespace(spec::RuntimeConfig& config) {
    if (!is_ordinary_user()) {
        return;
    }
    runtime::UserMaps maps = runtime::probe_user_maps();
    if (maps.gids.size() == 1) {
        for (spec::Mount& mount : config.mounts) {  // devpts: there is no group tty
            std::erase(mount.options, "gid=5");
        }
    }
    spec::Linux& part = config.linux_ ? *config.linux_ : config.linux_.emplace();
    part.namespaces.push_back({.type = spec::NamespaceType::user, .path = {}});
    part.uid_mappings = std::move(maps.uids);
    part.gid_mappings = std::move(maps.gids);
}

}  // namespace knarr::engine
