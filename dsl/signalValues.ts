// Numbers of windows and filters of signals, shared by the functions of the vocabulary and by the import of ONNX.

/** Σ (−1)^i · weights[i] · cos(2π · i · n / period) for n from 0 to length − 1; the period is the length, or one less. */
export function windowValues(length: number, periodic: boolean, weights: readonly number[]): number[] {
  // One element that is to end where it began is the whole wave.
  const period = Math.max(1, periodic ? length : length - 1)
  return Array.from({ length }, (_, n) =>
    weights.reduce((sum, weight, i) => sum + (i % 2 === 0 ? weight : -weight) * Math.cos((2 * Math.PI * i * n) / period), 0),
  )
}

/**
 * Triangular filters over the entries of a spectrum, `[length / 2 + 1, bins]` in row-major order, as ONNX MelWeightMatrix 17 says: the
 * bins + 2 corners are a (bins + 2)-th part of the mel range apart, each the entry floor((length + 1) · frequency / sampleRate).
 */
export function melMatrix(bins: number, length: number, sampleRate: number, lower: number, upper: number): number[] {
  const rows = Math.floor(length / 2) + 1
  const [low, high] = [lower, upper].map((hertz) => (2595 * Math.log1p(hertz / 700)) / Math.LN10) as [number, number]
  const step = (high - low) / (bins + 2)
  const corners = Array.from({ length: bins + 2 }, (_, i) => {
    const hertz = 700 * Math.expm1(((low + i * step) / 2595) * Math.LN10)
    return Math.floor(((length + 1) * hertz) / sampleRate)
  })
  const values = new Array<number>(rows * bins).fill(0)
  for (let i = 0; i < bins; i++) {
    const [left, centre, right] = corners.slice(i, i + 3) as [number, number, number]
    if (left === centre && centre < rows) values[centre * bins + i] = 1
    for (let j = left; j <= Math.min(centre, rows - 1) && left < centre; j++) values[j * bins + i] = (j - left) / (centre - left)
    for (let j = centre; j < Math.min(right, rows); j++) values[j * bins + i] = (right - j) / (right - centre)
  }
  return values
}

/**
 * Triangular filters over the entries of a spectrum from 0 Hz to half the rate, `[entries, filters]` in row-major order, as TensorFlow's
 * MFCC has them: centres are evenly spaced on the scale 1127 · log(1 + f / 700), and each entry is shared by the two filters around it.
 */
export function melBands(entries: number, filters: number, sampleRate: number, lower: number, upper: number): number[] {
  const mel = (hertz: number) => 1127 * Math.log1p(hertz / 700)
  const spacing = (mel(upper) - mel(lower)) / (filters + 1)
  const centres = Array.from({ length: filters + 1 }, (_, i) => mel(lower) + spacing * (i + 1))
  const perEntry = (0.5 * sampleRate) / (entries - 1)
  const values = new Array<number>(entries * filters).fill(0)
  const last = Math.min(Math.floor(upper / perEntry), entries - 1)
  for (let entry = Math.floor(1.5 + lower / perEntry); entry <= last; entry++) {
    const at = mel(entry * perEntry)
    // The filter whose centre lies below the entry; −1 in front of the first.
    let below = -1
    while (below + 1 < filters && centres[below + 1]! < at) below++
    const from = below < 0 ? mel(lower) : centres[below]!
    const to = centres[below + 1]!
    const share = (to - at) / (to - from)
    if (below >= 0) values[entry * filters + below] = share
    if (below + 1 < filters) values[entry * filters + below + 1] = 1 - share
  }
  return values
}

/** √(2 / filters) · cos(π / filters · i · (j + ½)), `[filters, coefficients]` in row-major order: filter j, coefficient i. */
export function cosineTransform(filters: number, coefficients: number): number[] {
  const norm = Math.sqrt(2 / filters)
  return Array.from({ length: filters * coefficients }, (_, k) => {
    const [j, i] = [Math.floor(k / coefficients), k % coefficients]
    return norm * Math.cos((Math.PI / filters) * i * (j + 0.5))
  })
}
