// What the fuzzers share: how a sentence that does not hold ends the run, and ways to cut an
// input. libFuzzer calls LLVMFuzzerTestOneInput over and over on one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace agentd::fuzz {

// Says the sentence and ends the program unless it holds; libFuzzer then keeps the input.
void must(bool holds, std::string_view sentence);

[[nodiscard]] std::string_view as_text(const std::uint8_t* data, std::size_t size);

// `bytes` in pieces of 1 to `longest` bytes. Where they are cut comes from the bytes alone, so
// that an input always does the same.
[[nodiscard]] std::vector<std::string_view> in_pieces(std::string_view bytes, std::size_t longest);

// Up to `count` parts of `bytes`, separated by LF; those that are not there are empty. The last
// one is all the rest.
[[nodiscard]] std::vector<std::string_view> in_parts(std::string_view bytes, std::size_t count);

} // namespace agentd::fuzz
