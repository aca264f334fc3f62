// Reads an archive file with hyparquet and prints what FORMAT.md says of it: metadata, columns, and each line with its value.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
const [modules, file] = process.argv.slice(2)
const from = createRequire(modules + '/')
const load = async (name) => import(pathToFileURL(from.resolve(name)).href)
const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } = await load('hyparquet/src/node.js').catch(() => load('hyparquet'))
const { compressors } = await load('hyparquet-compressors')
const source = await asyncBufferFromFile(file)
const metadata = await parquetMetadataAsync(source)
const rows = await parquetReadObjects({ file: source, metadata, compressors })
const lines = rows.map((r) => {
  const value = r.exact ?? (r.mantissa === null || r.mantissa === undefined ? null : Number(r.mantissa) / 10 ** r.exponent)
  const bits = new DataView(new ArrayBuffer(8))
  if (value !== null) bits.setFloat64(0, value)
  return [r.stream, r.log, r.channel, r.time.getTime(), Number(r.position), value === null ? null : bits.getBigUint64(0).toString(16),
    r.run === null || r.run === undefined ? null : Number(r.run), r.generation === null || r.generation === undefined ? null : Number(r.generation), r.interval ?? null]
})
console.log(JSON.stringify({
  groups: metadata.row_groups.length,
  metadata: Object.fromEntries(metadata.key_value_metadata.map((k) => [k.key, k.value])),
  columns: metadata.schema.slice(1).map((c) => c.name),
  lines,
}))
