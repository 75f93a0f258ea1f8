// Package codec gives the hashes, sets and sorted sets of package typed fields,
// members and values of Go types.
//
//	users := codec.MapOf(tx.Hash("users"), codec.Uint64, codec.JSON[User]())
//	_, err := users.Set(7, User{Name: "Ada"})
//
//	   Map[uint64, User]            codecs                    typed.Hash
//	┌────────────────────┐    ┌─────────────────┐    ┌──────────────────────────────┐
//	│ 7 → User{"Ada"}    │ ─▶ │ KeyCodec Uint64 │ ─▶ │ field 00 00 00 00 00 00 00 07│
//	│                    │ ◀─ │ ValueCodec JSON │ ◀─ │ value {"Name":"Ada"}         │
//	└────────────────────┘    └─────────────────┘    └──────────────────────────────┘
//
// A KeyCodec keeps order: the bytes of two keys compare as the keys do, so that a
// Map and a Set are walked in the order of their Go type, all or a Range, forward and
// backward. A ValueCodec need not keep order. Its methods have other names, so that one
// is never taken for the other. Both are interfaces to implement for types of your own.
//
// What holds for package typed holds here: absence, refusals, loops, and which
// call sees what. Beyond that:
//
//   - What a call returns or a loop yields is yours.
//   - Limits are those of the encoded bytes: ErrKeyTooLarge above 64 KiB,
//     ErrValueTooLarge above 1 GiB.
//   - A value that its codec cannot encode is refused and changes nothing.
//   - Bytes that a codec cannot decode are a *DecodeError. They are not
//     ErrCorruption: every byte is as it was written, by another codec or by a call
//     without one, and the transaction may go on.
//
// The bytes of the codecs here are drawn where they are made and do not change
// between versions. They say nothing of the type: a program that changes the codec
// of a key converts what is there.
package codec
