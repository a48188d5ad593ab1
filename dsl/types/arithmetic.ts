/**
 * Whole-number arithmetic on literal types. A number is handled as its decimal digits, least significant first; each digit step is
 * one table lookup. Anything but a plain non-negative literal (`number`, `any`, a negative number) yields `any`, the unknown dimension.
 */
type Digit = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9'
type Bit = '0' | '1'

/** carry and digit of a + b + carry, at [carry][a][b] */
type Plus = [
  [
    ['00', '01', '02', '03', '04', '05', '06', '07', '08', '09'],
    ['01', '02', '03', '04', '05', '06', '07', '08', '09', '10'],
    ['02', '03', '04', '05', '06', '07', '08', '09', '10', '11'],
    ['03', '04', '05', '06', '07', '08', '09', '10', '11', '12'],
    ['04', '05', '06', '07', '08', '09', '10', '11', '12', '13'],
    ['05', '06', '07', '08', '09', '10', '11', '12', '13', '14'],
    ['06', '07', '08', '09', '10', '11', '12', '13', '14', '15'],
    ['07', '08', '09', '10', '11', '12', '13', '14', '15', '16'],
    ['08', '09', '10', '11', '12', '13', '14', '15', '16', '17'],
    ['09', '10', '11', '12', '13', '14', '15', '16', '17', '18'],
  ],
  [
    ['01', '02', '03', '04', '05', '06', '07', '08', '09', '10'],
    ['02', '03', '04', '05', '06', '07', '08', '09', '10', '11'],
    ['03', '04', '05', '06', '07', '08', '09', '10', '11', '12'],
    ['04', '05', '06', '07', '08', '09', '10', '11', '12', '13'],
    ['05', '06', '07', '08', '09', '10', '11', '12', '13', '14'],
    ['06', '07', '08', '09', '10', '11', '12', '13', '14', '15'],
    ['07', '08', '09', '10', '11', '12', '13', '14', '15', '16'],
    ['08', '09', '10', '11', '12', '13', '14', '15', '16', '17'],
    ['09', '10', '11', '12', '13', '14', '15', '16', '17', '18'],
    ['10', '11', '12', '13', '14', '15', '16', '17', '18', '19'],
  ],
]
/** borrow and digit of a − b − borrow, at [borrow][a][b] */
type Minus = [
  [
    ['00', '19', '18', '17', '16', '15', '14', '13', '12', '11'],
    ['01', '00', '19', '18', '17', '16', '15', '14', '13', '12'],
    ['02', '01', '00', '19', '18', '17', '16', '15', '14', '13'],
    ['03', '02', '01', '00', '19', '18', '17', '16', '15', '14'],
    ['04', '03', '02', '01', '00', '19', '18', '17', '16', '15'],
    ['05', '04', '03', '02', '01', '00', '19', '18', '17', '16'],
    ['06', '05', '04', '03', '02', '01', '00', '19', '18', '17'],
    ['07', '06', '05', '04', '03', '02', '01', '00', '19', '18'],
    ['08', '07', '06', '05', '04', '03', '02', '01', '00', '19'],
    ['09', '08', '07', '06', '05', '04', '03', '02', '01', '00'],
  ],
  [
    ['19', '18', '17', '16', '15', '14', '13', '12', '11', '10'],
    ['00', '19', '18', '17', '16', '15', '14', '13', '12', '11'],
    ['01', '00', '19', '18', '17', '16', '15', '14', '13', '12'],
    ['02', '01', '00', '19', '18', '17', '16', '15', '14', '13'],
    ['03', '02', '01', '00', '19', '18', '17', '16', '15', '14'],
    ['04', '03', '02', '01', '00', '19', '18', '17', '16', '15'],
    ['05', '04', '03', '02', '01', '00', '19', '18', '17', '16'],
    ['06', '05', '04', '03', '02', '01', '00', '19', '18', '17'],
    ['07', '06', '05', '04', '03', '02', '01', '00', '19', '18'],
    ['08', '07', '06', '05', '04', '03', '02', '01', '00', '19'],
  ],
]
/** tens and ones of a · b, at [a][b] */
type Times = [
  ['00', '00', '00', '00', '00', '00', '00', '00', '00', '00'],
  ['00', '01', '02', '03', '04', '05', '06', '07', '08', '09'],
  ['00', '02', '04', '06', '08', '10', '12', '14', '16', '18'],
  ['00', '03', '06', '09', '12', '15', '18', '21', '24', '27'],
  ['00', '04', '08', '12', '16', '20', '24', '28', '32', '36'],
  ['00', '05', '10', '15', '20', '25', '30', '35', '40', '45'],
  ['00', '06', '12', '18', '24', '30', '36', '42', '48', '54'],
  ['00', '07', '14', '21', '28', '35', '42', '49', '56', '63'],
  ['00', '08', '16', '24', '32', '40', '48', '56', '64', '72'],
  ['00', '09', '18', '27', '36', '45', '54', '63', '72', '81'],
]
/** quotient and remainder of (10 · remainder + digit) / divisor, at [divisor][remainder][digit] */
interface Over {
  2: [['00', '01', '10', '11', '20', '21', '30', '31', '40', '41'], ['50', '51', '60', '61', '70', '71', '80', '81', '90', '91']]
  3: [
    ['00', '01', '02', '10', '11', '12', '20', '21', '22', '30'],
    ['31', '32', '40', '41', '42', '50', '51', '52', '60', '61'],
    ['62', '70', '71', '72', '80', '81', '82', '90', '91', '92'],
  ]
  5: [
    ['00', '01', '02', '03', '04', '10', '11', '12', '13', '14'],
    ['20', '21', '22', '23', '24', '30', '31', '32', '33', '34'],
    ['40', '41', '42', '43', '44', '50', '51', '52', '53', '54'],
    ['60', '61', '62', '63', '64', '70', '71', '72', '73', '74'],
    ['80', '81', '82', '83', '84', '90', '91', '92', '93', '94'],
  ]
  7: [
    ['00', '01', '02', '03', '04', '05', '06', '10', '11', '12'],
    ['13', '14', '15', '16', '20', '21', '22', '23', '24', '25'],
    ['26', '30', '31', '32', '33', '34', '35', '36', '40', '41'],
    ['42', '43', '44', '45', '46', '50', '51', '52', '53', '54'],
    ['55', '56', '60', '61', '62', '63', '64', '65', '66', '70'],
    ['71', '72', '73', '74', '75', '76', '80', '81', '82', '83'],
    ['84', '85', '86', '90', '91', '92', '93', '94', '95', '96'],
  ]
}

type Reverse<S extends string, R extends string = ''> = S extends `${infer A}${infer T}` ? Reverse<T, `${A}${R}`> : R
type Trim<S extends string> = S extends `0${infer T}` ? (T extends '' ? '0' : Trim<T>) : S
type Value<S> = S extends `${infer N extends number}` ? N : any
type Out<R extends string> = Value<Trim<Reverse<R>>>

type AddDigits<A extends string, B extends string, C extends Bit = '0'> = A extends `${infer X extends Digit}${infer TA}`
  ? B extends `${infer Y extends Digit}${infer TB}`
    ? Plus[C][X][Y] extends `${infer D extends Bit}${infer R}`
      ? `${R}${AddDigits<TA, TB, D>}`
      : never
    : C extends '0'
      ? A
      : AddDigits<A, '1'>
  : C extends '0'
    ? B
    : B extends ''
      ? '1'
      : AddDigits<B, '1'>

/** `never` where the result would be negative */
type SubDigits<A extends string, B extends string, C extends Bit = '0'> = A extends `${infer X extends Digit}${infer TA}`
  ? B extends `${infer Y extends Digit}${infer TB}`
    ? Minus[C][X][Y] extends `${infer D extends Bit}${infer R}`
      ? `${R}${SubDigits<TA, TB, D>}`
      : never
    : C extends '0'
      ? A
      : SubDigits<A, '1'>
  : B extends ''
    ? C extends '0'
      ? ''
      : never
    : never

type TimesDigit<A extends string, Y extends Digit, C extends Digit = '0'> = A extends `${infer X extends Digit}${infer TA}`
  ? Times[X][Y] extends `${infer T extends Digit}${infer O extends Digit}`
    ? Plus['0'][O][C] extends `${infer D extends Digit}${infer R}`
      ? Plus['0'][T][D] extends `0${infer N extends Digit}`
        ? `${R}${TimesDigit<TA, Y, N>}`
        : never
      : never
    : never
  : C extends '0'
    ? ''
    : C

type MulDigits<A extends string, B extends string> = B extends `${infer Y extends Digit}${infer TB}`
  ? TB extends ''
    ? TimesDigit<A, Y>
    : AddDigits<TimesDigit<A, Y>, `0${MulDigits<A, TB>}`>
  : '0'

type OverPrime<
  S extends string,
  P extends keyof Over,
  M extends string = '0',
  Q extends string = '',
> = S extends `${infer X extends Digit}${infer T}`
  ? Over[P][M & keyof Over[P]][X & keyof Over[P][M & keyof Over[P]]] extends `${infer A}${infer R}`
    ? OverPrime<T, P, R, `${Q}${A}`>
    : never
  : Trim<Q>

/** Divisors as chains of primes: floor division composes. */
interface Chain {
  1: []
  2: [2]
  3: [3]
  4: [2, 2]
  5: [5]
  6: [2, 3]
  7: [7]
  8: [2, 2, 2]
  9: [3, 3]
  10: [2, 5]
  12: [2, 2, 3]
  14: [2, 7]
  15: [3, 5]
  16: [2, 2, 2, 2]
  20: [2, 2, 5]
  24: [2, 2, 2, 3]
  28: [2, 2, 7]
  32: [2, 2, 2, 2, 2]
  64: [2, 2, 2, 2, 2, 2]
}
type OverChain<S extends string, C> = C extends [infer P extends keyof Over, ...infer T] ? OverChain<OverPrime<S, P>, T> : S

/** Zero or above and whole; other numbers have no digits to work on. */
type Literal<A> = number extends A
  ? false
  : `${A & number}` extends `-${string}` | `${string}.${string}` | `${string}e${string}`
    ? false
    : true
type Both<A, B> = Literal<A> extends true ? Literal<B> : false

export type Add<A, B> = Both<A, B> extends true ? Out<AddDigits<Reverse<`${A & number}`>, Reverse<`${B & number}`>>> : any
/** `any` when negative */
export type Sub<A, B> =
  Both<A, B> extends true
    ? SubDigits<Reverse<`${A & number}`>, Reverse<`${B & number}`>> extends infer R extends string
      ? [R] extends [never]
        ? any
        : Out<R>
      : any
    : any
export type Mul<A, B> =
  Both<A, B> extends true
    ? A extends 1
      ? B
      : B extends 1
        ? A
        : Out<MulDigits<Reverse<`${A & number}`>, Reverse<`${B & number}`>>>
    : any
/** floor; `any` for divisors outside the chain table */
export type Div<A, B> =
  Both<A, B> extends true ? (B extends keyof Chain ? Value<OverChain<`${A & number}`, Chain[B]>> : any) : any
