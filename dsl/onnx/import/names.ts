/**
 * Identifiers for the names of a file: letters, digits and `_`, at most 64, no two alike, none that means something to JavaScript as a
 * property. The same names in the same order give the same identifiers.
 */
export function createNames(fallback: string): (name: string) => string {
  const taken = new Set<string>()
  return (name) => {
    const base = identifierOf(name, fallback)
    let result = base
    for (let i = 2; taken.has(result); i++) result = `${base.slice(0, 56)}_${i}`
    taken.add(result)
    return result
  }
}

/** `input.1` becomes `input_1`, `serving_default_x:0` `serving_default_x`, `/model/Relu_output_0` `model_Relu_output_0`. */
export function identifierOf(name: string, fallback: string): string {
  const text = name
    .slice(0, 1024)
    .replace(/:0$/, '')
    .replace(/[^A-Za-z0-9_]+/g, '_')
    .replace(/^_+(?=[A-Za-z0-9])/, '')
    .slice(0, 56)
    .replace(/_+$/, '')
  const safe = text === '' ? fallback : /^[0-9]/.test(text) ? `${fallback}_${text}` : text
  return reserved.has(safe) || safe in Object.prototype ? `${safe}_` : safe
}

/** Words that cannot be the name of a variable in a module. */
const reserved = new Set(
  `arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function
  if implements import in instanceof interface let new null package private protected public return static super switch this throw true try
  typeof undefined var void while with yield async of NaN Infinity`.split(/\s+/),
)
