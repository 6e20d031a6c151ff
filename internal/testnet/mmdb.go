package testnet

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// MMDB is a GeoIP database in MaxMind's format: a binary tree of the bits of addresses, IPv4 below ::/96, then what its
// leaves point to, then what the whole is.
//
//	│ node: left 4 │ right 4 │ … │ 16 zeros │ record │ … │ "\xab\xcd\xefMaxMind.com" │ metadata │
//
// Of records there can be strings, uint32s, lists ([]any) and maps (map[string]any). Networks must not overlap.
func MMDB(records map[netip.Prefix]map[string]any) []byte {
	nodes := [][2]int{{}} // 0: nothing; positive: a node; negative: ^offset of a record
	var data []byte
	for prefix, record := range records {
		bits, address := prefix.Bits(), prefix.Addr().As16()
		if prefix.Addr().Is4() {
			bits += 96
			clear(address[:12])
		}
		node := 0
		for i := range bits {
			side := int(address[i/8]>>(7-i%8)) & 1
			switch {
			case i == bits-1:
				nodes[node][side] = ^len(data)
			case nodes[node][side] == 0:
				nodes = append(nodes, [2]int{})
				nodes[node][side] = len(nodes) - 1
			}
			node = max(0, nodes[node][side])
		}
		data = appendMMDB(data, record)
	}
	var file []byte
	for _, node := range nodes {
		for _, to := range node {
			switch {
			case to == 0:
				to = len(nodes)
			case to < 0:
				to = len(nodes) + 16 + ^to
			}
			file = binary.BigEndian.AppendUint32(file, uint32(to))
		}
	}
	file = append(append(file, make([]byte, 16)...), data...)
	return appendMMDB(append(file, "\xab\xcd\xefMaxMind.com"...), map[string]any{
		"node_count": uint32(len(nodes)), "record_size": uint16(32), "ip_version": uint16(6), "database_type": "Test",
		"binary_format_major_version": uint16(2), "binary_format_minor_version": uint16(0), "build_epoch": uint64(1),
		"languages": []any{}, "description": map[string]any{},
	})
}

// appendMMDB writes a value: three bits of type, five of size (29: one more byte says how much more), then the bytes.
func appendMMDB(to []byte, value any) []byte {
	head := func(kind byte, size int) {
		first := min(size, 29)
		if kind < 8 {
			to = append(to, kind<<5|byte(first))
		} else {
			to = append(to, byte(first), kind-7)
		}
		if first == 29 {
			to = append(to, byte(size-29))
		}
	}
	switch v := value.(type) {
	case string:
		head(2, len(v))
		to = append(to, v...)
	case uint16:
		head(5, 2)
		to = binary.BigEndian.AppendUint16(to, v)
	case uint32:
		head(6, 4)
		to = binary.BigEndian.AppendUint32(to, v)
	case uint64:
		head(9, 8)
		to = binary.BigEndian.AppendUint64(to, v)
	case []any:
		head(11, len(v))
		for _, one := range v {
			to = appendMMDB(to, one)
		}
	case map[string]any:
		head(7, len(v))
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			to = appendMMDB(appendMMDB(to, name), v[name])
		}
	}
	return to
}
