#include "platform/mapped_file.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include "platform/sanitized.h"

namespace knarr::sys {

namespace {

/// What this thread reads now, for the handler.
struct Guarded {
    std::uintptr_t begin = 0, end = 0;  // whole pages
    bool was_cut = false;
};
thread_local volatile Guarded guarded;

std::uintptr_t page_of(std::uintptr_t address) {
    return address - address % static_cast<std::uintptr_t>(getpagesize());
}

std::uintptr_t address_of(const char* at) {
    return reinterpret_cast<std::uintptr_t>(at);
}

/// mmap(2) is one system call, and as such safe in a handler.
void on_bus_error(int /*signal*/, siginfo_t* info, void* /*context*/) {
    const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    if (info->si_code == BUS_ADRERR && address >= guarded.begin && address < guarded.end) {
        const int error = errno;
        const auto size = static_cast<std::size_t>(getpagesize());
        char* page = static_cast<char*>(info->si_addr) - (address - page_of(address));
        const bool is_replaced =
            mmap(page, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page;
        errno = error;
        if (is_replaced) {
            guarded.was_cut = true;
            return;
        }
    }
    // Nothing that we expected: it happens again, and kills.
    static_cast<void>(std::signal(SIGBUS, SIG_DFL));
}

Result<> set_handler() {
    static std::mutex mutex;
    const std::scoped_lock lock(mutex);
    struct sigaction now{};
    if (sigaction(SIGBUS, nullptr, &now) != 0) {
        return fail_errno(errno, "sigaction SIGBUS");
    }
    const bool is_handled = (now.sa_flags & SA_SIGINFO) != 0;
    if (is_handled && now.sa_sigaction == on_bus_error) {
        return {};
    }
    // AddressSanitizer's only tells where a process died.
    const bool is_free = is_handled ? kIsSanitized : now.sa_handler == SIG_DFL;
    if (!is_free) {
        return fail_errno(EBUSY, "SIGBUS has a handler in this process");
    }
    struct sigaction wanted{};
    wanted.sa_sigaction = on_bus_error;
    wanted.sa_flags = SA_SIGINFO;
    if (sigaction(SIGBUS, &wanted, nullptr) != 0) {
        return fail_errno(errno, "sigaction SIGBUS");
    }
    return {};
}

}  // namespace

Result<MappedFile> MappedFile::map(const Fd& file, std::size_t bytes) {
    KNARR_TRY(set_handler());
    void* memory = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED) {
        return fail_errno(errno, "mmap {} bytes of a file", bytes);
    }
    return MappedFile(std::span(static_cast<char*>(memory), bytes));
}

MappedFile::MappedFile(MappedFile&& other) noexcept : memory_(std::exchange(other.memory_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(memory_, other.memory_);
    return *this;
}

MappedFile::~MappedFile() {
    if (!memory_.empty()) {
        munmap(memory_.data(), memory_.size());
    }
}

MappedFile::Reading::Reading(const MappedFile& file, std::size_t begin, std::size_t count)
    : bytes_(file.memory_.subspan(begin, count)) {
    const auto size = static_cast<std::uintptr_t>(getpagesize());
    guarded.was_cut = false;
    guarded.end = page_of(address_of(bytes_.data()) + bytes_.size() + size - 1);
    guarded.begin = page_of(address_of(bytes_.data()));
    std::atomic_signal_fence(std::memory_order_seq_cst);  // no byte is read before
}

MappedFile::Reading::~Reading() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    guarded.begin = 0;
    guarded.end = 0;
}

bool MappedFile::Reading::was_cut() const {
    std::atomic_signal_fence(std::memory_order_seq_cst);  // what was read by now, was
    return guarded.was_cut;
}

}  // namespace knarr::sys
