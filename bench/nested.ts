/** Arrays as rows of JSON lines. */
import { type Value } from '../src/backends/ort/session.ts';

/** A row of named arrays, as one line. */
export function lineOf(inputs: ReadonlyMap<string, Omit<Value, 'type'>>): string {
	return `${JSON.stringify(Object.fromEntries([...inputs].map(([name, value]) => [name, nested(value)])))}\n`;
}

function nested({ dims, data }: Omit<Value, 'type'>): unknown {
	const rounded = Array.from(data, (value) => Number(value.toFixed(4)));
	return dims.length === 0 ? rounded[0] : dims.slice(1).reduceRight<unknown[]>(chunks, rounded);
}

const chunks = (values: readonly unknown[], size: number): unknown[] =>
	Array.from({ length: values.length / Math.max(1, size) }, (_, at) =>
		values.slice(at * size, (at + 1) * size),
	);
