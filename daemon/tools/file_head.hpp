// What read_file shows of a file: its first lines and how much comes after them. Takes the
// file piece by piece and keeps no more than can be shown, whatever its size. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agentd::tools {

class file_head {
public:
    // At most `lines` lines (none: all) and at most `chars` characters in all.
    file_head(std::optional<std::uint64_t> lines, std::size_t chars);

    // The next bytes of the file.
    void feed(std::string_view bytes);
    // More bytes would change nothing but the file's size, which is known otherwise.
    [[nodiscard]] bool has_all() const { return full_ && !limit_; }
    // After the last bytes; `file_size` in bytes. Valid UTF-8, never empty.
    [[nodiscard]] std::string text(std::uint64_t file_size) const;

private:
    void keep(std::string_view bytes);

    std::optional<std::uint64_t> limit_;
    std::size_t chars_;
    std::string kept_;        // raw; whole lines unless full_
    bool full_ = false;       // kept_ has more bytes than can be shown
    std::uint64_t lines_ = 0; // line ends seen
    bool in_line_ = false;    // the last byte seen was no line end
};

} // namespace agentd::tools
