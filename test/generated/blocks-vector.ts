/** Blocks of plain layers over [batch, width]. */
import { type Block } from './blocks.ts';
import { type Flow, type Kit } from './kit.ts';

type Build = (kit: Kit, x: Flow) => Flow;

function gemm(kit: Kit, x: Flow, width: number): Flow {
	const turned = kit.draw.chance(0.5);
	const weight = kit.weight(turned ? [width, x.width] : [x.width, width], x.width);
	const inputs = [x.name, weight, ...(kit.draw.chance(0.7) ? [kit.bias(width)] : [])];
	return { ...x, width, name: kit.bounded(kit.node('Gemm', inputs, { transB: turned ? 1 : 0 })) };
}

/** The width as rows and columns, turned and flattened again. */
function folded(kit: Kit, x: Flow): Flow {
	const [rows, columns] = [kit.draw.from(2, 3), kit.draw.from(2, 4)];
	const wide = gemm(kit, x, rows * columns);
	const apart = kit.reshape(wide.name, 1, [rows, columns]);
	const [turned, inner, outer] = kit.draw.chance(0.5)
		? [kit.transpose(apart, 0, 2, 1), rows, columns]
		: [apart, columns, rows];
	if (kit.draw.chance(0.4)) {
		const reduced = kit.reduce(kit.draw.pick(['ReduceSum', 'ReduceMax']), turned, [1]);
		return { ...x, name: kit.bounded(reduced), width: inner };
	}
	const to = kit.draw.from(2, 4);
	const product = kit.bounded(kit.node('MatMul', [turned, kit.weight([inner, to])]));
	return { ...x, name: kit.reshape(product, 1, [outer * to]), width: outer * to };
}

const plain: Readonly<Record<string, Build>> = {
	gemm: (kit, x) => {
		const made = gemm(kit, x, kit.draw.from(3, 12));
		return { ...made, name: kit.activation(made.name) };
	},
	folded,
	windows: (kit, x) => {
		const width = Math.max(2, x.width >> 1);
		const from = kit.draw.below(x.width - width + 1);
		const left = kit.slice(x.name, 1, from, from + width);
		const name = kit.node('Concat', [left, x.name], { axis: 1 });
		return { ...x, name, width: width + x.width };
	},
	scattered: (kit, x) => {
		const places = Array.from({ length: x.width }, () => kit.draw.below(x.width));
		return { ...x, name: kit.node('Gather', [x.name, kit.b.ints(places)], { axis: 1 }) };
	},
};

/** One row of a table for each input row, chosen by what comes in. */
const inexact: Readonly<Record<string, Build>> = {
	softmax: (kit, x) => {
		const weights = kit.node('Softmax', [gemm(kit, x, x.width).name], { axis: 1 });
		return { ...x, name: kit.node('Mul', [x.name, weights]) };
	},
	normal: (kit, x) => {
		const norm = kit.node('LpNormalization', [x.name], { axis: 1, p: 2 });
		return { ...x, name: kit.node('Add', [norm, kit.weight([x.width], 4)]) };
	},
};

export const vectorBlocks: Readonly<Record<string, Block>> = Object.fromEntries([
	...Object.entries(plain).map(([name, build]): [string, Block] => [name, { takes: ['vector'], build }]),
	...Object.entries(inexact).map(([name, build]): [string, Block] => [
		name,
		{ takes: ['vector'], only: 'float', build },
	]),
]);
