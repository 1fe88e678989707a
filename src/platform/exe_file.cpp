#include "platform/exe_file.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <link.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/text.h"
#include "platform/file.h"
#include "platform/sanitized.h"

namespace knarr::sys {

namespace {

/// A run of whole pages of the program.
struct Pages {
    char* begin = nullptr;
    std::size_t size = 0;
    int protection = PROT_NONE;
    off_t offset = 0;  ///< in the file
};

/// Where the kernel and the C library have put the program.
struct Layout {
    std::vector<Pages> clean;    ///< never written to: the file's own bytes
    std::vector<Pages> written;  ///< bytes of their own since the start
};

int protection_of(unsigned flags) {
    return ((flags & PF_R) != 0 ? PROT_READ : 0) | ((flags & PF_W) != 0 ? PROT_WRITE : 0) |
           ((flags & PF_X) != 0 ? PROT_EXEC : 0);
}

std::size_t page_floor(std::size_t address) {
    return address - address % static_cast<std::size_t>(getpagesize());
}

std::size_t page_ceiling(std::size_t address) {
    return page_floor(address + static_cast<std::size_t>(getpagesize()) - 1);
}

/// The first object is the program itself, and in a static program the only one.
int take_layout(dl_phdr_info* program, std::size_t /*size*/, void* out) {
    Layout& layout = *static_cast<Layout*>(out);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): where the kernel has put it
    char* const base = reinterpret_cast<char*>(program->dlpi_addr);
    // What is read only once it is relocated: glibc protects whole pages.
    std::size_t guarded = 0;
    for (std::size_t i = 0; i < program->dlpi_phnum; ++i) {
        const ElfW(Phdr)& header = program->dlpi_phdr[i];
        if (header.p_type == PT_GNU_RELRO) {
            guarded = page_floor(header.p_vaddr + header.p_memsz);
        }
    }
    for (std::size_t i = 0; i < program->dlpi_phnum; ++i) {
        const ElfW(Phdr)& header = program->dlpi_phdr[i];
        if (header.p_type != PT_LOAD || header.p_filesz == 0) {
            continue;
        }
        const std::size_t begin = page_floor(header.p_vaddr);
        const std::size_t end = page_ceiling(header.p_vaddr + header.p_filesz);
        const int protection = protection_of(header.p_flags);
        const auto offset = static_cast<off_t>(page_floor(header.p_offset));
        if ((header.p_flags & PF_W) == 0) {
            layout.clean.push_back({base + begin, end - begin, protection, offset});
            continue;
        }
        const std::size_t middle = guarded > begin && guarded < end ? guarded : begin;
        if (middle > begin) {
            layout.written.push_back({base + begin, middle - begin, PROT_READ, offset});
        }
        layout.written.push_back({base + middle, end - middle, protection, offset});
    }
    return 1;
}

/// The file's bytes, from the new file. What runs here runs on from the same bytes.
Result<> map_clean(const Pages& pages, const Fd& file) {
    if (mmap(pages.begin,
             pages.size,
             pages.protection,
             MAP_PRIVATE | MAP_FIXED,
             file.get(),
             pages.offset) == MAP_FAILED) {
        return fail_errno(errno, "map the program anew");
    }
    return {};
}

/// The same bytes in pages of no file. Nothing is written to the program's data between the copy
/// and the move: errno and the stack are elsewhere.
Result<> move_written(const Pages& pages) {
    void* const copy = mmap(nullptr,
                            pages.size,
                            PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
                            -1,
                            0);
    if (copy == MAP_FAILED) {
        return fail_errno(errno, "room for the program's data");
    }
    std::memcpy(copy, pages.begin, pages.size);
    if (mprotect(copy, pages.size, pages.protection) != 0 ||
        mremap(copy, pages.size, pages.size, MREMAP_MAYMOVE | MREMAP_FIXED, pages.begin) ==
            MAP_FAILED) {
        const int why = errno;
        munmap(copy, pages.size);
        return fail_errno(why, "move the program's data");
    }
    return {};
}

/// This process's memory as the kernel describes it, which says it anew with the file.
Result<prctl_mm_map> own_memory() {
    const std::string text = KNARR_TRY(read_file("/proc/self/stat", 4096));
    const std::size_t name_end = text.rfind(')');  // the second field may hold anything
    std::vector<std::uint64_t> fields{0, 0, 0};    // counted as proc(5) does, from 1
    for (const std::string_view word :
         split(std::string_view(text).substr(name_end == std::string::npos ? 0 : name_end + 1),
               ' ')) {
        if (!word.empty()) {
            fields.push_back(parse_number(trimmed(word)).value_or(0));
        }
    }
    if (fields.size() < 52) {
        return fail(Errc::unsupported, "/proc/self/stat has {} fields", fields.size());
    }
    return prctl_mm_map{.start_code = fields[26],
                        .end_code = fields[27],
                        .start_data = fields[45],
                        .end_data = fields[46],
                        .start_brk = fields[47],
                        .brk = reinterpret_cast<std::uintptr_t>(sbrk(0)),
                        .start_stack = fields[28],
                        .arg_start = fields[48],
                        .arg_end = fields[49],
                        .env_start = fields[50],
                        .env_end = fields[51],
                        .auxv = nullptr,
                        .auxv_size = 0,
                        .exe_fd = 0};
}

bool change_exe_file(prctl_mm_map memory, const Fd& file) {
    memory.exe_fd = static_cast<std::uint32_t>(file.get());
    return prctl(PR_SET_MM, PR_SET_MM_MAP, &memory, sizeof memory, 0) == 0;
}

}  // namespace

Result<> go_on_from(const Fd& file) {
    if constexpr (kIsSanitized) {
        return fail(Errc::unsupported, "a sanitizer watches over the program's data");
    }
    // While the old file is mapped the kernel says EBUSY to whoever may change it at all.
    const prctl_mm_map memory = KNARR_TRY(own_memory());
    if (!change_exe_file(memory, file) && errno != EBUSY) {
        return fail_errno(errno, "change the file of the program");
    }
    Layout layout;
    dl_iterate_phdr(take_layout, &layout);
    for (const Pages& pages : layout.clean) {
        KNARR_TRY(map_clean(pages, file));
    }
    for (const Pages& pages : layout.written) {
        KNARR_TRY(move_written(pages));
    }
    if (!change_exe_file(memory, file)) {
        return fail_errno(errno, "change the file of the program");
    }
    return {};
}

}  // namespace knarr::sys
