#include "engine/attach_door.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/text.h"
#include "platform/disk.h"
#include "platform/unix_socket.h"

namespace knarr::engine {

namespace {

/// How long the removal of a container waits for those attached to read its log.
constexpr std::chrono::seconds kReadingTime{5};

}  // namespace

Result<> send_word(const sys::Fd& socket, char word, const sys::Fd* fd) {
    return sys::send_packet(socket, std::string_view(&word, 1), fd);
}

std::string end_packet(const EndWord& word) {
    std::string packet(1, kEnd);
    packet += word.code ? fmt::format("{}", *word.code) : "";
    return packet + (word.log ? " " + LogReader::encode(*word.log) : "");
}

EndWord parse_end(std::string_view packet) {
    packet.remove_prefix(1);
    const std::size_t blank = packet.find(' ');
    EndWord word;
    if (const auto code = parse_number(packet.substr(0, blank), 255)) {
        word.code = static_cast<int>(*code);
    }
    if (blank != std::string_view::npos) {
        word.log = LogReader::decode(packet.substr(blank + 1));
    }
    return word;
}

Result<> AttachDoor::open(const sys::Fd& state_dir) {
    sys::Fd listener = KNARR_TRY(sys::listen_at(state_dir, kAttachSocket));
    KNARR_TRY(sys::set_nonblocking(listener));
    listener_ = std::move(listener);
    return {};
}

void AttachDoor::admit(sys::Fd socket, const sys::Fd* terminal) {
    if (attached_.size() >= kMaxAttached) {
        static_cast<void>(send_word(socket, kFull));
        return;
    }
    // One that is gone again is no trouble of the container's.
    if (sys::set_nonblocking(socket) && send_word(socket, kGreeting, terminal)) {
        attached_.push_back({.socket = std::move(socket)});
    }
}

std::array<sys::Ready, AttachDoor::kItems> AttachDoor::wants() const {
    std::array<sys::Ready, kItems> items;
    items[0] = {.fd = listener_.get()};
    for (std::size_t i = 0; i < attached_.size(); ++i) {
        items[1 + i] = {.fd = attached_[i].socket.get()};
    }
    return items;
}

void AttachDoor::serve(const std::array<sys::Ready, kItems>& ready, const sys::Fd* terminal) {
    for (std::size_t i = attached_.size(); i-- > 0;) {
        if (!ready[1 + i].is_ready) {
            continue;
        }
        auto packet = sys::receive_packet(attached_[i].socket, kAttachPacketBytes);
        if (packet && *packet && (*packet)->bytes == std::string(1, kDone)) {
            attached_[i].done = true;
        } else if (packet && *packet && (*packet)->bytes == std::string(1, kTerminal) &&
                   (*packet)->fd.valid()) {
            given_back_ = std::move((*packet)->fd);
        } else if (!packet || *packet) {
            attached_.erase(attached_.begin() + static_cast<std::ptrdiff_t>(i));  // it has left
        }
    }
    if (ready[0].is_ready) {
        if (auto client = sys::accept_owner(listener_, sys::effective_uid())) {
            admit(std::move(*client), terminal);
        }
    }
}

void AttachDoor::tell_end(const EndWord& word) {
    if (told_) {
        return;
    }
    told_ = system_clock().steady();
    const std::string packet = end_packet(word);
    std::erase_if(attached_, [&](const Attached& one) {
        return !sys::send_packet(one.socket, packet);  // it has left
    });
}

bool AttachDoor::is_waited_for() const {
    return told_ && system_clock().steady() < *told_ + kReadingTime &&
           std::ranges::any_of(attached_, [](const Attached& one) { return !one.done; });
}

void AttachDoor::close() {
    attached_.clear();
    listener_.reset();
    given_back_.reset();
    told_.reset();
}

}  // namespace knarr::engine
