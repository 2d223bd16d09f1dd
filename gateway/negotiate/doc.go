// Package negotiate chooses among representations by what a client says it
// accepts (RFC 9110 section 12.5): pure functions over field values.
//
// Items that cannot be read are passed over, as a client that sends them asked
// for nothing that can be given. Nothing here fails, and nothing is kept.
package negotiate
