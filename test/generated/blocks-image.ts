/** Blocks of convolutional networks. */
import { type Block } from './blocks.ts';
import { type Flow, type Kit } from './kit.ts';

type Build = (kit: Kit, x: Flow) => Flow;
type Options = Pick<Block, 'gives' | 'only' | 'resizes'>;

const image = (build: Build, options: Options = {}): Block => ({ takes: ['image'], build, ...options });

const ones = (kernel: number): number[] => new Array<number>(4).fill((kernel - 1) / 2);

function conv(kit: Kit, x: Flow, to: number, { kernel = 3, group = 1, stride = 1 } = {}): Flow {
	const fan = (x.width / group) * kernel * kernel;
	const weight = kit.weight([to, x.width / group, kernel, kernel], fan);
	const inputs = [x.name, weight, ...(kit.draw.chance(0.6) ? [kit.bias(to)] : [])];
	const shape = { pads: ones(kernel), strides: [stride, stride], group };
	const name = kit.bounded(kit.node('Conv', inputs, shape));
	return { ...x, name, width: to, size: Math.ceil(x.size / stride) };
}

const active = (kit: Kit, x: Flow): Flow => ({ ...x, name: kit.activation(x.name) });

/** A number of groups that divides the width. */
function groupsOf(kit: Kit, width: number): number {
	return kit.draw.pick([2, 3, 4, 1].filter((count) => width % count === 0));
}

function shuffled(kit: Kit, x: Flow, groups: number): Flow {
	const { size, width } = x;
	const apart = kit.reshape(x.name, 1, [groups, width / groups, size, size]);
	return { ...x, name: kit.reshape(kit.transpose(apart, 0, 2, 1, 3, 4), 1, [width, size, size]) };
}

/** A number for each channel, [width, 1, 1] or [1, width, 1, 1]. */
const perChannel = (kit: Kit, width: number): string =>
	kit.scale(kit.draw.chance(0.5) ? [width, 1, 1] : [1, width, 1, 1]);

const plain: Readonly<Record<string, Build>> = {
	conv: (kit, x) => active(kit, conv(kit, x, kit.draw.from(3, 10), { kernel: kit.draw.pick([1, 3]) })),
	depthwise: (kit, x) => conv(kit, x, x.width * kit.draw.pick([1, 1, 2]), { group: x.width }),
	grouped: (kit, x) => {
		const group = groupsOf(kit, x.width);
		return active(kit, conv(kit, x, group * kit.draw.from(2, 4), { group }));
	},
	inverted: (kit, x) => {
		const wide = active(kit, conv(kit, x, 2 * x.width, { kernel: 1 }));
		const deep = active(kit, conv(kit, wide, wide.width, { group: wide.width }));
		const back = conv(kit, deep, x.width, { kernel: 1 });
		return { ...x, name: kit.bounded(kit.node('Add', [x.name, back.name])) };
	},
	shuffle: (kit, x) => shuffled(kit, x, groupsOf(kit, x.width)),
	halves: (kit, x) => {
		const half = x.width >> 1;
		const [left = '', right = ''] = kit.split(x.name, 1, half, x.width - half);
		const turned = conv(kit, { ...x, name: right, width: x.width - half }, half);
		const joined = kit.node('Concat', [left, turned.name], { axis: 1 });
		return shuffled(kit, { ...x, name: joined, width: 2 * half }, 2);
	},
	excite: (kit, x) => {
		const pooled = { ...x, name: kit.node('GlobalMaxPool', [x.name]), size: 1 };
		const squeezed = active(kit, conv(kit, pooled, kit.draw.from(2, 4), { kernel: 1 }));
		const { name } = conv(kit, squeezed, x.width, { kernel: 1 });
		const gate = kit.exact
			? kit.node('Clip', [name, kit.b.floats([0], []), kit.b.floats([2], [])])
			: kit.node('Sigmoid', [name]);
		return { ...x, name: kit.bounded(kit.node('Mul', [x.name, gate])) };
	},
	affine: (kit, x) => {
		const scaled = kit.node('Mul', [x.name, perChannel(kit, x.width)]);
		return { ...x, name: kit.bounded(kit.node('Add', [scaled, perChannel(kit, x.width)])) };
	},
	parametric: (kit, x) => ({
		...x,
		name: kit.bounded(kit.node('PRelu', [x.name, kit.scale([x.width, 1, 1])])),
	}),
	smoothPool: (kit, x) => ({
		...x,
		name: kit.node('MaxPool', [x.name], { kernel_shape: [3, 3], pads: ones(3), strides: [1, 1] }),
	}),
	channelsLast: (kit, x) => {
		const last = kit.transpose(x.name, 0, 2, 3, 1);
		const to = kit.draw.from(3, 10);
		return { ...x, name: kit.transpose(kit.linear(last, x.width, to), 0, 3, 1, 2), width: to };
	},
	someChannels: (kit, x) => {
		const width = Math.max(2, x.width - kit.draw.from(1, 2));
		return { ...x, name: kit.slice(x.name, 1, x.width - width, x.width), width };
	},
	moreChannels: (kit, x) => {
		const extra = kit.draw.from(1, 2);
		const pads = kit.b.ints([0, 0, 0, 0, 0, extra, 0, 0]);
		return { ...x, name: kit.node('Pad', [x.name, pads]), width: x.width + extra };
	},
	picked: (kit, x) => {
		const places = Array.from({ length: x.width }, () => kit.draw.below(x.width));
		return { ...x, name: kit.node('Gather', [x.name, kit.b.ints(places)], { axis: 1 }) };
	},
	tiled: (kit, x) => ({
		...x,
		name: kit.node('Tile', [x.name, kit.b.ints([1, 2, 1, 1])]),
		width: 2 * x.width,
	}),
	transposed: (kit, x) => {
		const [to, kernel] = [kit.draw.from(3, 8), kit.draw.pick([1, 3])];
		const weight = kit.weight([x.width, to, kernel, kernel], x.width * kernel * kernel);
		const name = kit.node('ConvTranspose', [x.name, weight], { pads: ones(kernel) });
		return { ...x, name: kit.bounded(name), width: to };
	},
};

const resizing: Readonly<Record<string, Build>> = {
	strided: (kit, x) =>
		x.size < 3
			? conv(kit, x, 6, { kernel: 1 })
			: active(kit, conv(kit, x, kit.draw.from(4, 10), { stride: 2 })),
	pooled: (kit, x) =>
		x.size < 2
			? active(kit, x)
			: {
					...x,
					name: kit.node('MaxPool', [x.name], { kernel_shape: [2, 2], strides: [2, 2] }),
					size: x.size >> 1,
				},
	enlarged: (kit, x) => {
		if (x.size > 6) return active(kit, x);
		const scales = kit.b.floats([1, 1, 2, 2]);
		const how = { mode: 'nearest', nearest_mode: 'floor', coordinate_transformation_mode: 'asymmetric' };
		return { ...x, name: kit.node('Resize', [x.name, '', scales], how), size: 2 * x.size };
	},
	depthToSpace: (kit, x) => {
		if (x.size > 6) return active(kit, x);
		const wide = conv(kit, x, 4 * kit.draw.from(2, 4), { kernel: 1 });
		const how = { blocksize: 2, mode: kit.draw.pick(['DCR', 'CRD']) };
		return {
			...wide,
			name: kit.node('DepthToSpace', [wide.name], how),
			width: wide.width / 4,
			size: 2 * x.size,
		};
	},
	spaceToDepth: (kit, x) =>
		x.size % 2 === 1
			? active(kit, x)
			: {
					...x,
					name: kit.node('SpaceToDepth', [x.name], { blocksize: 2 }),
					width: 4 * x.width,
					size: x.size / 2,
				},
};

const norms: Readonly<Record<string, Build>> = {
	batchNorm: (kit, x) => {
		const vectors = [kit.scale([x.width]), kit.weight([x.width], 4), kit.weight([x.width], 4)];
		const variance = kit.b.positive(x.width);
		return { ...x, name: kit.node('BatchNormalization', [x.name, ...vectors, variance]) };
	},
	instanceNorm: (kit, x) =>
		x.size < 2
			? active(kit, x)
			: {
					...x,
					name: kit.node('InstanceNormalization', [x.name, kit.scale([x.width]), kit.weight([x.width], 4)]),
				},
	/** GroupNorm as PyTorch exports it. */
	groupNorm: (kit, x) => {
		const groups = groupsOf(kit, x.width);
		const flat = kit.reshape(x.name, 1, [groups, -1]);
		const [one, zero] = [new Array<number>(groups).fill(1), new Array<number>(groups).fill(0)];
		const normed = kit.node('InstanceNormalization', [flat, kit.b.floats(one), kit.b.floats(zero)]);
		const back = kit.node('Reshape', [normed, kit.node('Shape', [x.name])]);
		const scaled = kit.node('Mul', [back, kit.scale([x.width, 1, 1])]);
		return { ...x, name: kit.node('Add', [scaled, kit.scale([x.width, 1, 1])]) };
	},
	meanPool: (kit, x) => ({
		...x,
		name: kit.node('AveragePool', [x.name], { kernel_shape: [3, 3], pads: ones(3), strides: [1, 1] }),
	}),
};

const leaving: Readonly<Record<string, Block>> = {
	flatten: image(
		(kit, x) => {
			const width = x.width * x.size * x.size;
			const name = kit.draw.chance(0.5) ? kit.node('Flatten', [x.name]) : kit.reshape(x.name, 1, [width]);
			return { name, kind: 'vector', width, size: 0 };
		},
		{ gives: 'vector' },
	),
	globalPool: image(
		(kit, x) => {
			const reduced = (op: string): string => kit.reduce(op, x.name, [2, 3]);
			const made: readonly (() => string)[] = [
				() => kit.node('Flatten', [kit.node('GlobalMaxPool', [x.name])]),
				() => kit.node('Squeeze', [kit.node('GlobalMaxPool', [x.name]), kit.b.ints([2, 3])]),
				() => reduced('ReduceMax'),
				() => (kit.exact ? reduced('ReduceMin') : reduced('ReduceMean')),
				() => reduced('ReduceSum'),
			];
			return { name: kit.bounded(kit.draw.pick(made)()), kind: 'vector', width: x.width, size: 0 };
		},
		{ gives: 'vector' },
	),
	patches: image(
		(kit, x) => {
			const flat = kit.reshape(x.name, 1, [x.width, x.size * x.size]);
			return { name: kit.transpose(flat, 0, 2, 1), kind: 'sequence', width: x.width, size: 0 };
		},
		{ gives: 'sequence' },
	),
};

const each = (builds: Readonly<Record<string, Build>>, options: Options): Record<string, Block> =>
	Object.fromEntries(Object.entries(builds).map(([name, build]) => [name, image(build, options)]));

export const imageBlocks: Readonly<Record<string, Block>> = {
	...each(plain, {}),
	...each(resizing, { resizes: true }),
	...each(norms, { only: 'float' }),
	...leaving,
};
