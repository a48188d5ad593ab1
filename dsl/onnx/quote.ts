const longest = 120

/** Text of a file as messages show it: in quotes, on one line, bounded, without what would steer a terminal. */
export const quote = (text: string): string => `"${plain(text).replace(/["\\]/g, '\\$&')}"`

/** The same without quotes. */
export const plain = (text: string): string =>
  (text.length > longest ? `${text.slice(0, longest)}…` : text).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  )
