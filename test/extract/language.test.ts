import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { evaluateSource, runInNode } from './support.ts'

/** Each program is run by Node and read by the build; the default exports must look alike. */
const programs: Readonly<Record<string, readonly string[]>> = {
  operators: [
    'export default [1 + 2, 7 % 3, -7 % 3, 2 ** 10, 7 / 2, 1 / 0, -1 / 0, 0 / 0, 5 & 3, 5 | 3, 5 ^ 3, ~5, 1 << 31, -8 >> 1, -8 >>> 28]',
    "export default [1 + '2', '3' * '4', null + 1, undefined + 1, true + true, [] + [], [] + {}, [1, 2] + 'x', '5' - 2]",
    "export default [1 == '1', null == undefined, null == 0, '' == 0, [1] == 1, NaN == NaN, '1' === 1, 0 === -0]",
    "export default ['b' > 'a', '10' < '9', 10 < '9', null >= 0, undefined >= 0, NaN < 1, [2] > 1]",
    'export default [1n + 2n, 7n / 2n, -7n % 3n, 2n ** 64n, 5n & 3n, ~5n, 1n << 70n, 2n > 1, 2n == 2, 1n < 1.5]',
    "export default [typeof 1, typeof 'a', typeof undefined, typeof null, typeof {}, typeof [], typeof (() => 1), typeof 1n, typeof true]",
    'let a = 1; const r = [a++, ++a, a--, --a, -a, +a, !a]; export default r',
    'let a = 5; a += 2; a -= 1; a *= 3; a /= 2; a %= 5; a **= 3; a <<= 2; a >>= 1; a >>>= 1; a &= 0xff; a |= 1; a ^= 3; export default a',
    'let a = null, b = 0, c = 1; a ??= 2; b ||= 3; c &&= 4; export default [a, b, c, (1, 2), void 0]',
    'const o = { a: { b: [1, { c: 2 }] }, f() { return this.a } }; export default [o?.a?.b[1]?.c, o.x?.y.z.w, o.x?.[1](2), o.f?.().b?.at(-1), o.g?.(), (o?.f)().b.length]',
    "export default ['a' in { a: 1 }, 1 in [5, 6], 'x' in {}, 'toString' in {}, 'length' in []]",
    'export default [0.1 + 0.2, 1e21 + 1, 123456789012345680000 + 1, 5e-324 / 2, (25).toString(2), 0x10, 0b11, 0o17, 1_000]',
    "export default `a${1}b${[1, 2]}c${null}d${{ toString: () => 'x' }}`",
  ],
  arrays: [
    'const a = [1, 2, 3, 4]; export default [a.map((x, i) => x * i), a.filter(x => x % 2), a.reduce((s, x) => s + x), a.reduceRight((s, x) => s + x, ""), a.some(x => x > 3), a.every(x => x > 3)]',
    'const a = [3, 1, 2]; export default [a.sort(), a.toSorted((x, y) => y - x), a.reverse(), a.toReversed(), a.slice(1), a.slice(-2, -1), a.at(-1), a.indexOf(2), a.includes(9)]',
    'const a = [1, 2, 3, 4, 5]; const b = a.splice(1, 2, 9, 9, 9); export default [a, b, a.splice(-1), a.splice(0, 0, 7), a]',
    'export default [[1, [2, [3, [4]]]].flat(), [1, [2, [3]]].flat(Infinity), [1, 2].flatMap(x => [x, [x]]), [1].concat(2, [3], [[4]]), [1, null, undefined, "x"].join("-")]',
    'export default [[10, 9, 1].sort(), [undefined, 3, undefined, 1].sort(), ["b", "a"].sort(), [3, 20, 100].sort((a, b) => a - b)]',
    'const a = []; a[3] = 1; a.length = 6; export default [a, a.length, [1, 2, 3].fill(0, 1), new Array(3), Array(2, 3), Array.of(7), [, 1, , 2]]',
    'export default [Array.from({ length: 3 }, (_, i) => i * i), Array.from("añ😀"), Array.from(new Set([1, 1, 2])), Array.from(new Map([[1, 2]])), Array.from([1, 2].entries()), Array.isArray([])]',
    'const [a, , b = 5, ...c] = [1, 2, undefined, 4, 5]; const { x, y: { z = 3 } = {}, ...rest } = { x: 1, p: 2, q: 3 }; export default [a, b, c, x, z, rest]',
    'let a = 1, b = 2; [a, b] = [b, a]; const o = {}; ({ p: o.x, q: [o.y] } = { p: 1, q: [2] }); export default [a, b, o]',
    'const xs = [1, 2, 3]; const out = []; for (const [i, x] of xs.entries()) out.push(i + x); for (const i in xs) out.push(i); for (const k of xs.keys()) out.push(k); export default out',
    'export default [[1, 2, 3].find(x => x > 1), [1, 2, 3].findIndex(x => x > 5), [1, 2, 3].findLast(x => x < 3), [1, 2, 3].findLastIndex(x => x < 3), [1, 2, 3].lastIndexOf(3), [1, 2, 3].with(1, 9), [1, 2, 3].toSpliced(0, 1)]',
    'const a = [1, 2]; a.push(3, 4); a.unshift(0); const p = a.pop(); const s = a.shift(); export default [a, p, s, a.length, [...a, ...a], Math.max(...a)]',
    'const a = [1, 2, 3]; const r = []; a.forEach((x, i, all) => { r.push(x); if (i === 0) all.push(9) }); export default [r, a]',
    'const a = [1]; for (const x of a) if (x < 5) a.push(x + 1); export default a',
    'const a = [...Array(1500).keys()]; export default [a.flatMap(x => [x, [x]]).length, a.map(x => [x, [x]]).flat(2).length]',
  ],
  objects: [
    "const k = 'key'; const o = { a: 1, [k]: 2, ['x' + 1]: 3, 'y z': 4, 5: 6, get g() { return this.a + 1 }, set g(v) { this.a = v }, m() { return 1 } }; o.g = 10; export default [o.g, o.a, Object.keys(o), o.m(), o]",
    'const a = { x: 1, y: 2 }; const b = { ...a, y: 3, ...null, ..."hi", ...[7] }; delete b.x; export default [a, b, Object.entries(b), Object.values(b), Object.fromEntries([["p", 1]])]',
    'const o = { b: 1, 2: 1, a: 1, 1: 1 }; o[0] = 1; const r = []; for (const k in o) r.push(k); export default [Object.keys(o), r, JSON.stringify(o)]',
    'const o = Object.freeze({ a: 1 }); let r; try { o.a = 2 } catch (e) { r = e.name } export default [o, r, Object.isFrozen(o), Object.assign({}, { a: 1 }, null, { b: 2 })]',
    'const f = function () { return 1 }; const g = () => 2; const o = { f() {}, g: () => {}, h: function () {}, ["i" + 1]: () => 1 }; export default [f.name, g.name, o.f.name, o.g.name, o.h.name, o.i1.name, (() => {}).name, f.length, ((a, b = 1, c) => 1).length]',
    'export default [Object.is(NaN, NaN), Object.is(0, -0), Object.hasOwn({ a: 1 }, "a"), ({ a: 1 }).hasOwnProperty("b")]',
    'const o = { valueOf() { return 42 }, toString() { return "s" } }; export default [o + 1, `${o}`, o * 2, o > 41, o == 42, String(o), [o] + ""]',
    "export default [{}.toString(), [] + '', String([1, [2, 3]]), String({}), String(new Map()), String(null)]",
  ],
  functions: [
    'function f(a, b = a + 1, ...rest) { return [a, b, rest] } export default [f(1), f(1, undefined, 3), f(1, 2, 3, 4)]',
    'export default (function fact(n) { return n < 2 ? 1 : n * fact(n - 1) })(10)',
    'const fs = []; for (let i = 0; i < 3; i++) fs.push(() => i); export default fs.map(f => f())',
    'const fs = []; for (var i = 0; i < 3; i++) fs.push(() => i); export default fs.map(f => f())',
    'const fs = []; for (let i = 0; i < 3; i++) { fs.push(() => i++); } export default [fs.map(f => f()), fs.map(f => f())]',
    'export default hoisted(); function hoisted() { return inner(); function inner() { return 7 } }',
    'const counter = () => { let n = 0; return { inc: () => ++n, get: () => n } }; const a = counter(), b = counter(); a.inc(); a.inc(); b.inc(); export default [a.get(), b.get()]',
    'function f() { return typeof this } const o = { f() { return this.x }, x: 1, g: () => typeof this }; export default [f(), o.f(), o.f.call({ x: 2 }), o.f.apply({ x: 3 }, []), o.f.bind({ x: 4 })()]',
    'const compose = (...fs) => x => fs.reduceRight((y, f) => f(y), x); export default compose(x => x + 1, x => x * 2)(5)',
    'function f({ a = 1, b: [c, d = 2] = [3] } = {}) { return [a, c, d] } export default [f(), f({ a: 5 }), f({ b: [1, 1] })]',
    'let r = []; { function a() { return 1 } r.push(a()) } { function a() { return 2 } r.push(a()) } export default r',
    'var x = 1; { var x = 2 } function f() { x = 3; var x; return x } export default [x, f(), x]',
    'const tag = (s, ...v) => [s.join("|"), s.raw.join("|"), v]; export default [tag`a${1}\\n${2}c`, String.raw`x\\n${1}`]',
    'const id = <T,>(x: T): T => x; const y = id<number>(3) as unknown as string; export default [y!, id(<any>4), { a: 1 } satisfies object]',
  ],
  control: [
    'const r = []; outer: for (let i = 0; i < 4; i++) { for (let j = 0; j < 4; j++) { if (j === 2) continue outer; if (i === 3) break outer; r.push(i * 10 + j) } } export default r',
    'const f = (x) => { switch (x) { case 1: return "one"; case 2: case 3: return "few"; default: return "many" } }; export default [1, 2, 3, 4].map(f)',
    'const r = []; for (const x of [1, 2, 3]) { switch (x) { case 1: r.push("a"); case 2: r.push("b"); break; default: r.push("c"); continue } r.push("end") } export default r',
    'const r = []; switch (3) { default: r.push("d"); case 1: r.push(1); break; case 2: r.push(2) } export default r',
    'let i = 0; const r = []; while (true) { if (++i > 5) break; if (i % 2) continue; r.push(i) } do { r.push(i--) } while (i > 4); export default r',
    'const r = []; const f = () => { try { r.push(1); return "t" } finally { r.push(2) } }; export default [f(), r]',
    'const f = () => { try { throw new Error("x") } catch (e) { return e.message } finally { return "f" } }; export default f()',
    'const r = []; try { try { null.x } finally { r.push("f") } } catch (e) { r.push(e instanceof TypeError, e.name) } export default r',
    'const r = []; for (const f of [() => undefined.x, () => x, () => (void 0)(), () => [].reduce((a, b) => a), () => 1n + 1, () => new Array(-1), () => "x".repeat(-1), () => { const c = 1; c = 2 }, () => JSON.parse("{"), () => [...1], () => null[0], () => (1).toFixed(101), () => { throw { a: 1 } }]) { try { f(); r.push("no") } catch (e) { r.push(e.name ?? e) } } const x = 1; export default r',
    'try { y } catch (e) { var z = e.name } let y = 1; export default z',
    'lab: { break lab } let s = ""; for (const c of "añ😀") s += c + "|"; for (const k in "ab") s += k; export default s',
    'const r = []; for (const k in { b: 1, a: 2 }) { r.push(k) } for (var v of [1, 2]); r.push(v); for (const [k, v] of Object.entries({ p: 1 })) r.push(k, v); export default r',
    'const f = () => { for (const x of [1, 2, 3]) { try { if (x === 2) return x; continue } finally { if (x === 1) continue } } }; export default f()',
    'class E2 extends Error { constructor(m, code) { super(m); this.code = code; this.name = "E2" } } let r; try { throw new E2("m", 7) } catch (e) { r = [e instanceof E2, e instanceof Error, e instanceof TypeError, e.message, e.code, String(e), e] } export default r',
    'let e; try { throw new Error("a", { cause: 5 }) } catch (x) { e = x } export default [e, e.cause, `${new TypeError("t")}`, Error("q").message, new RangeError() + ""]',
  ],
  classes: [
    'class A { x = 1; static s = 2; #p = 3; get p() { return this.#p } set p(v) { this.#p = v } m() { return this.x + this.#q() } #q() { return 10 } static make() { return new this() } } const a = A.make(); a.p = 5; export default [a, a.p, a.m(), A.s, a instanceof A, A.name, a.constructor === A, a.constructor.name]',
    'class A { constructor(x) { this.x = x; this.log = ["A"] } m() { return "A" + this.x } static t() { return "tA" } } class B extends A { y = this.x + 1; constructor(x) { super(x * 2); this.log.push("B") } m() { return "B" + super.m() } static t() { return super.t() + "B" } } const b = new B(2); export default [b, b.m(), B.t(), b instanceof A, Object.keys(b)]',
    'class A { constructor(public a: number, private readonly b = 2) {} sum() { return this.a + this.b } } class B extends A { c = 1; constructor(readonly d: string) { super(5) } } export default [new A(1), new A(1).sum(), new B("x")]',
    'const C = class Named { static n = Named.name; f = () => this }; const c = new C(); export default [C.name, C.n, c.f() === c]',
    'class A { static #n = 0; static inc() { return ++A.#n } has(o) { return #x in o } #x = 1; static { this.ready = true } } export default [A.inc(), A.inc(), new A().has(new A()), new A().has({}), A.ready]',
    'class A { get v() { return 1 } } const a = new A(); let r; try { a.v = 2 } catch (e) { r = e.name } let q; try { A() } catch (e) { q = e.name } export default [r, q, a.v, Object.keys(a)]',
    'class A { ["x" + 1] = 1; ["m" + 2]() { return 2 } static ["s"] = 3; 5() { return 5 } } export default [new A(), new A().m2(), A.s, new A()[5]()]',
    'abstract class Shape { abstract area(): number; describe() { return `area ${this.area()}` } } class Sq extends Shape { constructor(private s: number) { super() } area() { return this.s ** 2 } toString() { return "sq" } } export default [new Sq(3).describe(), `${new Sq(1)}`, [new Sq(2)].join()]',
    'class L { static all = []; constructor(n) { this.n = n; L.all.push(this) } } [1, 2].forEach(n => new L(n)); export default L.all',
    'const o = { a() { return "base" } }; class A { m() { return (() => this.x)() } x = 4 } export default [new A().m(), o.a()]',
    'class T { toJSON() { return { j: 1 } } } export default JSON.stringify({ t: new T(), u: undefined, f() {}, n: null, d: NaN, a: [undefined, () => 1], s: "\\u2028\\"" })',
  ],
  enums: [
    'enum E { A, B = 5, C, D = "d", F = 1 << 3, G = A | F, H = "x".length } export default [E.A, E.C, E[5], E.D, E, E.H]',
    'const enum K { X = 1, Y = X * 2 } export default [K.X, K.Y]',
    'enum M { A = 1 } enum M { B = 2 } export default M',
  ],
  builtins: [
    "export default ['abc'.toUpperCase(), 'a,b'.split(','), 'abc'.split(''), ' x '.trim(), 'abc'.slice(-2), 'abc'.substring(2, 0), 'x'.padStart(3, 'ab'), 'x'.padEnd(3), 'ab'.repeat(2), 'aXbX'.replace('X', '-'), 'aXbX'.replaceAll('X', (m) => m + m), 'abc'.at(-1), 'abc'[1], 'abc'.charCodeAt(1), 'a'.codePointAt(0), 'abc'.indexOf('c'), 'abc'.includes('b'), 'abc'.startsWith('b', 1), 'abc'.endsWith('b', 2), 'a'.concat(1, null), 'aa'.lastIndexOf('a'), 'abc'.length]",
    "export default [Number('12'), Number(''), Number('x'), Number(null), Number([5]), Number(undefined), parseInt('12px'), parseInt('ff', 16), parseFloat('1.5e3x'), Number.isInteger(5), Number.isSafeInteger(2 ** 53), Number.EPSILON > 0, isNaN('x'), (1.005).toFixed(2), (255).toString(16), (0.000001234).toPrecision(2), (12345).toExponential(1), Number.parseFloat('2.5')]",
    'export default [Math.max(), Math.min(1, "0"), Math.hypot(3, 4), Math.sign(-3), Math.trunc(-1.5), Math.round(-0.5), Math.cbrt(27), Math.PI, Math.floor(-0.5), Math.abs("-3"), Math.log2(8), Math.fround(0.1), Math.imul(3, 4), Math.clz32(1)]',
    'const m = new Map([["a", 1], ["b", 2]]); m.set("a", 3).set(NaN, 4); m.delete("b"); const r = []; for (const [k, v] of m) r.push(k, v); m.forEach((v, k) => r.push(k, v)); export default [m, m.size, m.get(NaN), m.has("b"), r, [...m.keys()], [...m.values()]]',
    'const s = new Set([3, 1, 3]); s.add(2); s.delete(1); export default [s, s.size, s.has(3), [...s], Array.from(s, x => x * 2), new Set("aab")]',
    'export default [JSON.stringify({ a: [1, { b: 2 }] }, null, 2), JSON.stringify([1, 2], (k, v) => typeof v === "number" ? v + 1 : v), JSON.stringify({ a: 1, b: 2 }, ["a"]), JSON.parse(\'{"a":[1,2,{"b":null}],"__proto__":1}\')]',
    'export default [Boolean(""), Boolean([]), String(1n), BigInt(10), BigInt("0x1f"), !!NaN, [0, 1, ""].filter(Boolean), ["1", "2"].map(Number), ["1", "2", "3"].map(parseInt)]',
    'const u = new URL("../b/c.bin?x=1#h", "file:///a/d/e.ts"); export default [u.href, u.pathname, String(u), u.protocol, `${u}`]',
    'const i = new Map([[1, 2]]).entries(); const first = i.next(); const second = i.next(); const [a] = [5, 6].values(); export default [first, second, a]',
    'const o = { a: [1, { b: 2 }], m: new Map([[1, new Set([2])]]) }; const c = structuredClone(o); c.a[1].b = 3; export default [o, c]',
    'export default [globalName()]; function globalName() { return typeof console.error }',
    "export default [[...'a😀b'], 'ß'.toUpperCase(), 'a-b-c'.split('-', 2), 'abc'.replace('b', '[$&$`]'), String.fromCharCode(65, 66), String.fromCodePoint(128512)]",
  ],
}

for (const [family, sources] of Object.entries(programs)) {
  test(`${family}: as in Node (BP-02)`, async () => {
    const differences: string[] = []
    for (const source of sources) {
      const outcome = await evaluateSource(source)
      const expected = runInNode(source)
      if (outcome.text !== expected)
        differences.push(`${source}\n  node:  ${expected}\n  build: ${outcome.text} ${outcome.codes.join(' ')}`)
    }
    assert.is(differences.join('\n\n'), '')
  })
}

test.run()
