#include "store/columns.hpp"

#include "proto/json/reader.hpp"
#include "proto/json/writer.hpp"

#include <fmt/format.h>

namespace agentd::store {

std::string encode_map(const std::map<std::string, std::string>& pairs)
{
    std::string out;
    proto::json::object_writer object{out};
    for (const auto& [key, value] : pairs)
        object.member(key, value);
    object.close();
    return out;
}

std::map<std::string, std::string> decode_map(std::string_view json)
{
    std::map<std::string, std::string> pairs;
    if (json == "{}")
        return pairs;
    const auto object = proto::json::parse_object(json); // our own writing: never malformed
    if (!object)
        return pairs;
    for (const auto& member : object->members())
        if (const auto* text = member.value.as_string())
            pairs.emplace(member.name, *text);
    return pairs;
}

void bind_usage(statement& to, const proto::api::usage& used)
{
    to.bind(used.input).bind(used.output).bind(used.cache_read).bind(used.cache_write);
}

proto::api::usage usage_at(const statement& row, int column)
{
    return {.input = row.integer(column),
        .output = row.integer(column + 1),
        .cache_read = row.integer(column + 2),
        .cache_write = row.integer(column + 3)};
}

std::vector<std::string> ids_with_prefix(connection& db, std::string_view table,
    std::string_view prefix, std::optional<std::uint32_t> owner_uid, std::size_t limit)
{
    // Ids are of a-z, 0-9 and _; `~` comes after all of them.
    const auto sql = fmt::format("SELECT id FROM {} WHERE id >= ? AND id < ?{} ORDER BY id LIMIT ?",
        table, owner_uid ? " AND +owner_uid = ?" : "");
    auto row = db.prepare(sql);
    row.bind(prefix).bind(std::string{prefix} + '~');
    if (owner_uid)
        row.bind(*owner_uid);
    row.bind(limit);
    std::vector<std::string> ids;
    while (row.next())
        ids.push_back(row.text(0));
    return ids;
}

std::optional<std::int64_t> place_of(connection& db, std::string_view table, std::string_view id)
{
    {
        auto row = db.prepare(fmt::format("SELECT n FROM {} WHERE id = ?", table));
        row.bind(id);
        if (row.next())
            return row.integer(0);
    }
    auto row = db.prepare("SELECT n FROM removed WHERE id = ?");
    row.bind(id);
    return row.next() ? std::optional{row.integer(0)} : std::nullopt;
}

bool was_removed(connection& db, std::string_view id)
{
    auto row = db.prepare("SELECT 1 FROM removed WHERE id = ?");
    row.bind(id);
    return row.next();
}

} // namespace agentd::store
