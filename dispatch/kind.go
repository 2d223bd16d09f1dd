package dispatch

// Kind is the kind of a value, whichever way it is written.
type Kind uint8

// The kinds of the subset. KindInvalid comes with an error only.
const (
	KindInvalid Kind = iota
	KindNone
	KindBool
	KindInt
	KindBytes
	KindStr
	KindTuple
	KindList
	KindDict
)

// String returns the name of the type in Python.
func (k Kind) String() string {
	switch k {
	case KindNone:
		return "None"
	case KindBool:
		return "bool"
	case KindInt:
		return "int"
	case KindBytes:
		return "bytes"
	case KindStr:
		return "str"
	case KindTuple:
		return "tuple"
	case KindList:
		return "list"
	case KindDict:
		return "dict"
	case KindInvalid:
	}
	return "invalid"
}

func kindOf(code byte) Kind {
	switch code {
	case codeNone:
		return KindNone
	case codeTrue, codeFalse:
		return KindBool
	case codeInt, codeLong:
		return KindInt
	case codeBytes:
		return KindBytes
	case codeSmallTuple, codeTuple:
		return KindTuple
	case codeList:
		return KindList
	case codeDict:
		return KindDict
	}
	if isStr(code) {
		return KindStr
	}
	return KindInvalid
}

func isStr(code byte) bool {
	switch code {
	case codeShortASCII, codeShortASCIIInterned, codeUnicode, codeASCII, codeASCIIInterned, codeInterned:
		return true
	}
	return false
}
