#include "platform/rest.h"

#include <algorithm>

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

namespace knarr::sys {

namespace {

constexpr int kBusyMs = 1000;

/// Of one object of this process: a static program is the only one.
int release_pages(dl_phdr_info* object, std::size_t /*size*/, void* /*data*/) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    for (const ElfW(Phdr) & part : std::span(object->dlpi_phdr, object->dlpi_phnum)) {
        // A writable segment has pages that were changed, if only while the program was loaded.
        if (part.p_type == PT_LOAD && (part.p_flags & PF_W) == 0) {
            const std::size_t begin = object->dlpi_addr + part.p_vaddr;
            const std::size_t in_page = begin % page;
            // NOLINTNEXTLINE(performance-no-int-to-ptr): an ELF header has addresses as numbers
            auto* const first = reinterpret_cast<void*>(begin - in_page);
            madvise(first, part.p_memsz + in_page, MADV_DONTNEED);
        }
    }
    return 0;
}

}  // namespace

void release_program_pages() {
    dl_iterate_phdr(release_pages, nullptr);
}

Result<> wait_at_rest(std::span<Ready> items,
                      int timeout_ms,
                      const std::function<void()>& release) {
    if (timeout_ms >= 0 && timeout_ms <= kBusyMs) {
        return wait_ready(items, timeout_ms);
    }
    KNARR_TRY(wait_ready(items, kBusyMs));
    if (std::ranges::any_of(items, &Ready::is_ready)) {
        return {};
    }
    release();
    release_program_pages();
    return wait_ready(items, timeout_ms < 0 ? -1 : timeout_ms - kBusyMs);
}

}  // namespace knarr::sys
