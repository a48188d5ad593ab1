import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { printTable, readTable } from '../../compiler/allocation/table.ts'

const errorsOf = (text: string): readonly string[] => {
  const read = readTable(text)
  return 'errors' in read ? read.errors.map(({ line, message }) => `${line}: ${message}`) : []
}

test('a table is read in any order of columns, and printed with offsets', () => {
  const read = readTable('\ufeffsize, id ,upper,lower\r\n8,a b,4,0\r\n16,2,9007199254740991,4\r\n\r\n')
  assert.ok('table' in read)
  if (!('table' in read)) return
  assert.equal(read.table.problem, [
    { bytes: 8, start: 0, end: 4 },
    { bytes: 16, start: 4, end: 9007199254740991 },
  ])
  assert.is(printTable(read.table, [16, 0]), 'id,lower,upper,size,offset\na b,0,4,8,16\n2,4,9007199254740991,16,0\n')
})

test('mistakes come with their lines', () => {
  assert.equal(errorsOf(''), ['1: expected the columns id,lower,upper,size, found ""'])
  assert.equal(errorsOf('id,lower,upper,size,alignment\n1,0,1,1,8'), [
    '1: expected the columns id,lower,upper,size, found "id,lower,upper,size,alignment"',
  ])
  assert.equal(
    errorsOf(
      'id,lower,upper,size\n1,0,1\n2,0,1,-4\n3,2,2,4\n4,0,1,4\n4,0,1,4\n,0,1,4\n"x",0,1,4\n\n8,0,1e3,4\n9,0,1,9007199254740992',
    ),
    [
      '2: expected 4 values, found 3',
      '3: size "-4" is not a whole number from 0 to 2^53 − 1',
      '4: lower 2 is not less than upper 2',
      '6: id "4" stands in line 5 too',
      '7: id "" is empty or has quotes or control characters',
      '8: id "\\"x\\"" is empty or has quotes or control characters',
      '9: expected 4 values, found none',
      '10: upper "1e3" is not a whole number from 0 to 2^53 − 1',
      '11: size "9007199254740992" is not a whole number from 0 to 2^53 − 1',
    ],
  )
})

test('a table is bounded in length, buffers and bytes', () => {
  const row = (i: number, size: number) => `${i},0,1,${size}\n`
  const header = 'id,lower,upper,size\n'
  assert.match(errorsOf('x'.repeat(4_000_001))[0]!, /more than 4000000 characters/)
  assert.match(errorsOf(header + Array.from({ length: 10_001 }, (_, i) => row(i, 1)).join(''))[0]!, /^10002: .*10000 buffers/)
  assert.match(errorsOf(header + row(1, 2 ** 52) + row(2, 2 ** 52))[0]!, /^3: the sum of sizes/)
})

test.run()
