/** JSON lines: each line an object of nested arrays by input name. */
import { readFileSync } from 'node:fs';
import { Fault } from '../diagnostic.ts';
import { type ValueInfo } from '../ir/graph/graph.ts';
import { badData } from '../messages/run.ts';
import { type Sample, type SampleValue } from './sample.ts';

type Nested = number | readonly Nested[];

export function readJsonLines(path: string, inputs: readonly ValueInfo[]): Sample[] {
	const lines = readFileSync(path, 'utf8')
		.split('\n')
		.filter((line) => line.trim() !== '');
	return lines.map((line, at) => {
		const fail = (why: string): never => {
			throw new Fault(badData({ path, why: `line ${at + 1} ${why}` }));
		};
		let object: Record<string, Nested>;
		try {
			object = JSON.parse(line) as Record<string, Nested>;
		} catch {
			return fail('is no JSON');
		}
		return new Map(
			Object.entries(object).map(([name, nested]) => [
				name,
				flatten(nested, inputs.find((input) => input.name === name)?.type ?? 1, fail),
			]),
		);
	});
}

function flatten(nested: Nested, type: number, fail: (why: string) => never): SampleValue {
	const dims: number[] = [];
	for (let level: Nested | undefined = nested; Array.isArray(level); level = (level as readonly Nested[])[0])
		dims.push(level.length);
	const data = (Array.isArray(nested) ? nested.flat(Infinity) : [nested]) as unknown[];
	if (data.some((value) => typeof value !== 'number')) fail('holds something that is no number');
	if (data.length !== dims.reduce((product, dim) => product * dim, 1)) fail('has rows of different lengths');
	return { type, dims, data: data as number[] };
}
