/** Blocks of transformers and recurrent networks, attention apart. */
import { type Block } from './blocks.ts';
import { type Flow, type Kit } from './kit.ts';

type Build = (kit: Kit, x: Flow) => Flow;

const sequence = (build: Build, options: Pick<Block, 'gives' | 'only'> = {}): Block => ({
	takes: ['sequence'],
	build,
	...options,
});

/** One width after another, each a linear layer. */
const to = (kit: Kit, x: Flow, width: number): Flow => ({
	...x,
	width,
	name: kit.linear(x.name, x.width, width),
});

/** A product written as an Einsum, or as a Gemm of all positions at once. */
function otherLinear(kit: Kit, x: Flow): Flow {
	const width = kit.draw.from(3, 10);
	if (kit.draw.chance(0.5)) {
		const equation = { kind: 'string', value: 'bsd,de->bse' } as const;
		const name = kit.node('Einsum', [x.name, kit.weight([x.width, width])], { equation });
		return { ...x, width, name: kit.bounded(name) };
	}
	const flat = kit.node('Reshape', [x.name, kit.b.ints([-1, x.width])]);
	const product = kit.node('Gemm', [flat, kit.weight([width, x.width], x.width), kit.bias(width)], {
		transB: 1,
	});
	const shape = [kit.sizeAt(x.name, 0), kit.sizeAt(x.name, 1), kit.b.ints([width])];
	const name = kit.node('Reshape', [product, kit.node('Concat', shape, { axis: 0 })]);
	return { ...x, width, name: kit.bounded(name) };
}

function feedForward(kit: Kit, x: Flow): Flow {
	const hidden = to(kit, x, kit.draw.from(4, 12));
	const back = to(kit, { ...hidden, name: kit.activation(hidden.name) }, x.width);
	return { ...x, name: kit.bounded(kit.node('Add', [x.name, back.name])) };
}

function gated(kit: Kit, x: Flow): Flow {
	const width = kit.draw.from(3, 8);
	const parts = (): string[] => [to(kit, x, width).name, to(kit, x, width).name];
	const packed = (): string[] => kit.split(to(kit, x, 2 * width).name, 2, width, width);
	const [gate = '', up = ''] = kit.draw.chance(0.5) ? parts() : packed();
	const product = kit.bounded(kit.node('Mul', [kit.activation(gate), up]));
	const back = to(kit, { ...x, name: product, width }, x.width);
	return { ...x, name: kit.bounded(kit.node('Add', [x.name, back.name])) };
}

/** Halves swapped, one negated: half of what rotary positions do. */
function turned(kit: Kit, x: Flow): Flow {
	const half = x.width >> 1;
	const [left = '', right = ''] = kit.split(x.name, 2, half, x.width - half);
	return { ...x, name: kit.node('Concat', [kit.node('Neg', [right]), left], { axis: -1 }) };
}

function composite(kit: Kit, x: Flow): Flow {
	const [count, width] = [kit.draw.from(2, 3), kit.draw.from(2, 4)];
	const wide = to(kit, x, count * width);
	const apart = kit.reshape(wide.name, 2, [count, width]);
	const scaled = kit.node('Mul', [apart, kit.scale(kit.draw.pick([[count, 1], [width], [count, width]]))]);
	const swapped = kit.draw.chance(0.5) ? kit.transpose(scaled, 0, 1, 3, 2) : scaled;
	return { ...wide, name: kit.bounded(kit.reshape(swapped, 2, [count * width])) };
}

const plain: Readonly<Record<string, Build>> = {
	linear: (kit, x) => {
		const made = to(kit, x, kit.draw.from(3, 10));
		return { ...made, name: kit.activation(made.name) };
	},
	otherLinear,
	feedForward,
	gated,
	turned,
	composite,
	scaled: (kit, x) => ({ ...x, name: kit.bounded(kit.node('Mul', [x.name, kit.scale([x.width])])) }),
	someFeatures: (kit, x) => {
		const width = Math.max(2, x.width - kit.draw.from(1, 2));
		return { ...x, name: kit.slice(x.name, 2, 0, width), width };
	},
	/** A sum over the sequence, given back to every position. */
	mixed: (kit, x) => {
		const all = kit.bounded(kit.reduce(kit.draw.pick(['ReduceMax', 'ReduceSum']), x.name, [1], 1));
		return { ...x, name: kit.bounded(kit.node('Add', [x.name, all])) };
	},
	prefix: (kit, x) => ({
		...x,
		name: kit.bounded(kit.node('CumSum', [x.name, kit.b.ints([1], [])])),
	}),
};

/** The norm as it was written before there was an operator for it. */
function writtenNorm(kit: Kit, x: Flow): Flow {
	const centre = (value: string): string => kit.reduce('ReduceMean', value, [-1], 1);
	const centred = kit.node('Sub', [x.name, centre(x.name)]);
	const square = kit.node('Pow', [centred, kit.b.floats([2], [])]);
	const deviation = kit.node('Sqrt', [kit.node('Add', [centre(square), kit.b.floats([0.1], [])])]);
	const normed = kit.node('Div', [centred, deviation]);
	const scaled = kit.node('Mul', [normed, kit.scale([x.width])]);
	return { ...x, name: kit.node('Add', [scaled, kit.weight([x.width], 4)]) };
}

function recurrent(kit: Kit, x: Flow): Flow {
	const [op, gates] = kit.draw.pick([
		['LSTM', 4],
		['GRU', 3],
		['RNN', 1],
	] as const);
	const [units, both] = [kit.draw.from(3, 6), kit.draw.chance(0.3) ? 2 : 1];
	const weights = [
		kit.weight([both, gates * units, x.width], x.width),
		kit.weight([both, gates * units, units], units),
		kit.weight([both, 2 * gates * units], 4),
	];
	const direction = { kind: 'string', value: both === 2 ? 'bidirectional' : 'forward' } as const;
	const first = kit.transpose(x.name, 1, 0, 2);
	const made = kit.node(op, [first, ...weights], { hidden_size: units, direction });
	const width = both * units;
	if (both === 1) {
		const flat = kit.node('Squeeze', [made, kit.b.ints([1])]);
		return { ...x, name: kit.transpose(flat, 1, 0, 2), width };
	}
	const turned = kit.transpose(made, 2, 0, 1, 3);
	return { ...x, name: kit.reshape(turned, 2, [width]), width };
}

const inexact: Readonly<Record<string, Build>> = {
	layerNorm: (kit, x) => ({
		...x,
		name: kit.node('LayerNormalization', [x.name, kit.scale([x.width]), kit.weight([x.width], 4)], {
			epsilon: { kind: 'float', value: 0.1 },
		}),
	}),
	writtenNorm,
	recurrent,
	rootMeanSquare: (kit, x) => {
		const square = kit.node('Mul', [x.name, x.name]);
		const mean = kit.reduce('ReduceMean', square, [-1], 1);
		const root = kit.node('Sqrt', [kit.node('Add', [mean, kit.b.floats([0.1], [])])]);
		return { ...x, name: kit.node('Mul', [kit.node('Div', [x.name, root]), kit.scale([x.width])]) };
	},
	skipNorm: (kit, x) => {
		const other = to(kit, x, x.width).name;
		const inputs = [x.name, other, kit.scale([x.width]), kit.weight([x.width], 4)];
		const epsilon = { kind: 'float', value: 0.1 } as const;
		return { ...x, name: kit.node('SkipLayerNormalization', inputs, { epsilon }, 'com.microsoft') };
	},
	fusedGelu: (kit, x) => ({
		...x,
		name: kit.node('BiasGelu', [x.name, kit.weight([x.width], 4)], {}, 'com.microsoft'),
	}),
};

const leaving: Block = sequence(
	(kit, x) => {
		const made: readonly (() => string)[] = [
			() => kit.bounded(kit.reduce('ReduceSum', x.name, [1])),
			() => kit.reduce('ReduceMax', x.name, [1]),
			() => kit.node('Gather', [x.name, kit.b.ints([0], [])], { axis: 1 }),
			() => kit.node('Squeeze', [kit.slice(x.name, 1, -1, 1 << 20), kit.b.ints([1])]),
		];
		return { name: kit.draw.pick(made)(), kind: 'vector', width: x.width, size: 0 };
	},
	{ gives: 'vector' },
);

const each = (builds: Readonly<Record<string, Build>>, options: Pick<Block, 'only'>): Record<string, Block> =>
	Object.fromEntries(Object.entries(builds).map(([name, build]) => [name, sequence(build, options)]));

export const sequenceBlocks: Readonly<Record<string, Block>> = {
	...each(plain, {}),
	...each(inexact, { only: 'float' }),
	readOut: leaving,
};
