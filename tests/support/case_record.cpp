#include "tests/support/case_record.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cstdlib>
#include <vector>

namespace agentd::testing {
namespace {

constexpr std::size_t kept_bytes = 4096; // of the head, and of the tail

struct running_test {
    std::string run, name, file;
    unsigned line = 0;
};

running_test& current()
{
    static running_test test;
    return test;
}

std::string file_to_write()
{
    const char* path = std::getenv("AGENTD_CASES"); // NOLINT: tests set no environment
    return path == nullptr ? std::string{} : std::string{path};
}

bool is_case(std::string_view name)
{
    for (const std::string_view word : {"case ", "cases "}) {
        if (name.starts_with(word) && name.size() > word.size() &&
            std::isdigit(static_cast<unsigned char>(name[word.size()])) != 0)
            return true;
    }
    return false;
}

// Each byte is a code point below 256, so that the line says exactly what went over the wire.
std::string quoted(std::string_view bytes)
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            out.append(1, '\\').append(1, c);
        else if (byte >= 0x20 && byte < 0x7f)
            out += c;
        else
            out.append("\\u00").append(1, digits[byte >> 4U]).append(1, digits[byte & 15U]);
    }
    return out + '"';
}

void write_line(std::string line)
{
    line += '\n';
    const int file =
        ::open(file_to_write().c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        return;
    [[maybe_unused]] const auto written = ::write(file, line.data(), line.size());
    ::close(file);
}

// What came in headers that carry a credential.
std::vector<std::string> secrets_in(std::string_view head)
{
    std::string lower{head};
    for (char& c : lower)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    std::vector<std::string> found;
    constexpr std::array<std::string_view, 5> fields{"\nx-api-key: ", "\nauthorization: bearer ",
        "\nauthorization: ", "\nproxy-authorization: basic ", "\nproxy-authorization: "};
    for (const auto field : fields) {
        for (auto at = lower.find(field); at != std::string::npos; at = lower.find(field, at + 1)) {
            const auto begin = at + field.size();
            const auto end = lower.find_first_of("\r\n", begin);
            found.emplace_back(head.substr(begin, end - begin));
        }
    }
    return found;
}

std::string masked(std::string_view text, const std::vector<std::string>& secrets)
{
    std::string out{text};
    for (const auto& secret : secrets) {
        const std::string mask = "[" + std::to_string(secret.size()) + " secret bytes]";
        if (secret.empty())
            continue;
        for (auto at = out.find(secret); at != std::string::npos;
            at = out.find(secret, at + mask.size()))
            out.replace(at, secret.size(), mask);
    }
    return out;
}

std::string to_json(const bounded_bytes& bytes, const std::vector<std::string>& secrets)
{
    return "{\"bytes\":" + std::to_string(bytes.total()) +
        ",\"head\":" + quoted(masked(bytes.head(), secrets)) +
        ",\"tail\":" + quoted(masked(bytes.tail(), secrets)) + "}";
}

} // namespace

void bounded_bytes::add(std::string_view bytes)
{
    total_ += bytes.size();
    const auto room = kept_bytes - head_.size();
    head_ += bytes.substr(0, room);
    if (bytes.size() <= room)
        return;
    bytes.remove_prefix(room);
    if (bytes.size() > kept_bytes)
        bytes.remove_prefix(bytes.size() - kept_bytes);
    tail_ += bytes;
    if (tail_.size() > 4 * kept_bytes)
        tail_.erase(0, tail_.size() - kept_bytes);
}

std::string_view bounded_bytes::tail() const
{
    const std::string_view all{tail_};
    return all.size() > kept_bytes ? all.substr(all.size() - kept_bytes) : all;
}

std::string current_case()
{
    return current().run;
}

void case_begins(std::string_view name, std::string_view file, unsigned line)
{
    static int count = 0;
    current() = {};
    if (file_to_write().empty() || !is_case(name))
        return;
    current() = {std::to_string(::getpid()) + ":" + std::to_string(++count), std::string{name},
        std::string{file}, line};
}

void case_ends(bool passed)
{
    const auto& test = current();
    if (!test.run.empty())
        write_line("{\"kind\":\"test\",\"run\":" + quoted(test.run) +
            ",\"name\":" + quoted(test.name) + ",\"file\":" + quoted(test.file) + ",\"line\":" +
            std::to_string(test.line) + ",\"passed\":" + (passed ? "true" : "false") + "}");
    current() = {};
}

void record(const connection_record& what)
{
    if (what.run.empty())
        return;
    const auto secrets = secrets_in(what.received.head());
    write_line("{\"kind\":\"connection\",\"run\":" + quoted(what.run) +
        ",\"number\":" + std::to_string(what.number) + ",\"tls\":" + (what.tls ? "true" : "false") +
        ",\"sni\":" + quoted(what.sni) + ",\"received\":" + to_json(what.received, secrets) +
        ",\"sent\":" + to_json(what.sent, secrets) + ",\"end\":" + quoted(what.end) + "}");
}

} // namespace agentd::testing
