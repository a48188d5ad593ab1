/** A module of ours with all it imports, bundled and minified, as text. */
declare module '*?source' {
  const text: string
  export default text
}

/** The same with lines and names, for what is written as a file. */
declare module '*?module' {
  const text: string
  export default text
}

/** A file as it is. */
declare module '*?text' {
  const text: string
  export default text
}
