#include "runtime/launch/host_mounts.h"

#include <cerrno>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "platform/disk.h"
#include "platform/file.h"
#include "platform/mount.h"
#include "platform/pidfd.h"
#include "platform/socket.h"
#include "platform/task.h"
#include "runtime/launch/child.h"
#include "runtime/launch/protocol.h"

namespace knarr::runtime {

namespace {

/// Nothing: this step mounts no source.
std::optional<Result<sys::Fd>> open_source(const Operation& operation) {
    if (const auto* bound = std::get_if<step::Bind>(&operation)) {
        return open_bind_source(*bound);
    }
    if (const auto* root = std::get_if<step::MountRoot>(&operation)) {
        return open_root_source(root->rootfs);
    }
    return std::nullopt;
}

/// The same paths lead to the same places there, from the same root. False: we may not enter.
Result<bool> enter_mounts_of(const sys::Clone& child) {
    Result<sys::Fd> root =
        sys::open_path(fmt::format("/proc/{}/root", child.pid), O_PATH | O_DIRECTORY);
    Result<> entered = sys::enter_namespaces_of(child.pidfd, CLONE_NEWNS);
    if (!entered && entered.error().sys_errno == EPERM) {
        return false;
    }
    KNARR_TRY(std::move(entered));
    const sys::Fd same = KNARR_TRY(std::move(root));
    KNARR_TRY(sys::chroot_to(same));
    return true;
}

Result<> open_and_send(const LaunchPlan& plan, const sys::Clone& child, const sys::Fd& socket) {
    KNARR_TRY(sys::set_die_with_parent(true));
    // A mount namespace that is joined is not the child's: what it mounts is for others, too.
    if ((plan.new_namespaces & CLONE_NEWNS) != 0 && !KNARR_TRY(enter_mounts_of(child))) {
        return {};
    }
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
        std::optional<Result<sys::Fd>> opened = open_source(plan.steps[i].operation);
        if (!opened) {
            continue;
        }
        // A cgroup that is not made yet: what the child then cannot open either it reports itself.
        if (!*opened && opened->error().sys_errno == ENOENT) {
            continue;
        }
        const sys::Fd mount = KNARR_TRY(*std::move(opened), "{}", plan.steps[i].name);
        KNARR_TRY(send_mount(socket, i, mount));
    }
    return {};
}

}  // namespace

Result<> send_host_mounts(const LaunchPlan& plan, const sys::Clone& child, const sys::Fd& socket) {
    if (sys::effective_uid() == 0) {
        sys::SocketPair report = KNARR_TRY(sys::make_packet_pair(sys::OurEnd::blocks));
        const sys::Clone opener = KNARR_TRY(sys::clone_process(0));
        if (opener.in_child()) {
            const Result<> done = open_and_send(plan, child, socket);
            if (!done) {
                static_cast<void>(send_error(report.theirs, Message::failed, done.error()));
            }
            _exit(done ? 0 : 1);
        }
        report.theirs.reset();
        const std::optional<Packet> failed = KNARR_TRY(receive(report.ours));
        const sys::ExitStatus status = KNARR_TRY(sys::reap(opener.pidfd));
        if (failed) {
            return fail(failed->error);
        }
        if (status.signaled || status.value != 0) {
            return fail(Errc::interrupted, "the process that opens what is mounted was killed");
        }
    }
    return send(socket, Message::mounts);
}

Result<std::vector<sys::Fd>> receive_host_mounts(const LaunchPlan& plan, const sys::Fd& socket) {
    std::vector<sys::Fd> mounts(plan.steps.size());
    while (true) {
        Packet packet = KNARR_TRY(receive_more(socket));
        if (packet.message == Message::mounts) {
            return mounts;
        }
        const auto step = static_cast<std::size_t>(packet.number);
        if (packet.message != Message::mount || step >= mounts.size()) {
            return fail(Errc::internal,
                        "launch message {} instead of mounts",
                        static_cast<int>(packet.message));
        }
        mounts[step] = std::move(packet.fd);
    }
}

}  // namespace knarr::runtime
