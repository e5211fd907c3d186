/** Values of a model on examples, row under row, beside what is right for each. */
import { present } from '../../diagnostic.ts';
import { type Example } from '../../data/sample.ts';
import { type Model, type ValueName } from '../../ir/graph/graph.ts';
import { type Rows } from '../../ir/lab.ts';
import { matrix, type Matrix } from '../../ir/matrix.ts';
import { type Collect } from './collect.ts';
import { type Value } from './session.ts';

export type Marked = { readonly example: Example; readonly heldOut: boolean };

/** `run` goes over the examples of `marked`, in their order. */
export async function rowsOf(
	model: Model,
	names: readonly ValueName[],
	marked: readonly Marked[],
	run: Collect,
): Promise<Rows> {
	const found: Value[][] = names.map(() => []);
	const labels: (number | undefined)[] = [];
	const heldOut: boolean[] = [];
	await run(model, names, (values) => {
		const { example, heldOut: isHeldOut } = present(marked[found[0]?.length ?? 0], 'an example');
		names.forEach((name, at) => found[at]?.push(present(values.get(name), `value '${name}'`)));
		const rows = rowsIn(present(found[0]?.at(-1), 'a value'));
		for (let row = 0; row < rows; row++) {
			labels.push(labelOf(example, row));
			heldOut.push(isHeldOut);
		}
	});
	return { values: found.map(stacked), labels, heldOut };
}

const rowsIn = ({ dims, data }: Value): number => data.length / Math.max(1, dims.at(-1) ?? 1);

/** Of an example of several rows, each has its own. */
function labelOf({ label }: Example, row: number): number | undefined {
	const own = typeof label === 'object' ? label[row] : label;
	return typeof own === 'number' ? own : undefined;
}

function stacked(values: readonly Value[]): Matrix {
	const cols = values[0]?.dims.at(-1) ?? 1;
	const rows = values.reduce((sum, value) => sum + rowsIn(value), 0);
	const result = matrix(rows, cols);
	let at = 0;
	for (const { data } of values) {
		result.data.set(Array.from(data), at);
		at += data.length;
	}
	return result;
}
