/**
 * A generated model as a recipe of blocks, which is also how a failing one is told:
 *
 *     exact image 17 seed 3: conv~12 residual~7(depthwise~3 affine~5) globalPool~9 gemm~2
 *
 * The class, what goes in, the opset, a seed for inputs and removal, and blocks with the seeds of their own draws.
 */
import { bug } from '../../src/diagnostic.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { modelBuilder } from '../harness/model.ts';
import { blocks, type Block } from './blocks.ts';
import { Draw, Kit, type Exactness, type Flow, type Kind } from './kit.ts';

export type Spec = {
	readonly block: string;
	readonly seed: number;
	readonly chains: readonly (readonly Spec[])[];
};
export type Recipe = {
	readonly exactness: Exactness;
	readonly kind: Kind;
	readonly opset: number;
	/** Of the inputs and of what is removed. */
	readonly seed: number;
	readonly blocks: readonly Spec[];
};

const known = (name: string): Block => blocks[name] ?? bug('no such block', { name });

/** A recipe of 1 to 5 blocks, some made of others. The same seed gives the same recipe. */
export function drawRecipe(exactness: Exactness, seed: number): Recipe {
	const draw = new Draw(seed);
	const kind = draw.pick<Kind>(['image', 'image', 'sequence', 'sequence', 'vector']);
	const opset = draw.pick([17, 21]);
	const specs: Spec[] = [];
	let at = kind;
	for (let left = draw.from(1, 5); left > 0; left--) {
		const spec = drawSpec(draw, { exactness, opset }, at, 0);
		specs.push(spec);
		at = known(spec.block).gives ?? at;
	}
	return { exactness, kind, opset, seed: draw.seed(), blocks: specs };
}

type Class = Pick<Recipe, 'exactness' | 'opset'>;

function fits(name: string, { exactness, opset }: Class, kind: Kind, depth: number): boolean {
	const { takes, only, resizes, gives, chains } = known(name);
	if (!takes.includes(kind) || (only !== undefined && only !== exactness)) return false;
	// Examples of the operator table are of the newest opset.
	if (name === 'operator' && opset < 21) return false;
	return depth === 0 || ((resizes ?? gives) === undefined && (depth < 2 || chains === undefined));
}

function drawSpec(draw: Draw, of: Class, kind: Kind, depth: number): Spec {
	const names = Object.keys(blocks).filter((name) => fits(name, of, kind, depth));
	const block = draw.pick(names);
	const chains = Array.from({ length: known(block).chains ?? 0 }, () =>
		Array.from({ length: draw.from(1, 2) }, () => drawSpec(draw, of, kind, depth + 1)),
	);
	return { block, seed: draw.seed(), chains };
}

/** Whether every block takes the kind of value that comes before it. */
export function isWhole({ kind, blocks: specs }: Recipe): boolean {
	let at = kind;
	return specs.every(({ block }) => {
		const { takes, gives } = known(block);
		const right = takes.includes(at);
		at = gives ?? at;
		return right;
	});
}

/** Sizes of the input `x`, batch and seq being symbols. */
const inputs: Readonly<Record<Kind, (draw: Draw) => Flow>> = {
	image: (draw) => ({ name: 'x', kind: 'image', width: 3, size: draw.from(3, 5) }),
	sequence: (draw) => ({ name: 'x', kind: 'sequence', width: draw.from(4, 8), size: 0 }),
	vector: (draw) => ({ name: 'x', kind: 'vector', width: draw.from(4, 8), size: 0 }),
};

export function buildModel({ exactness, kind, opset, seed, blocks: specs }: Recipe): Model {
	const draw = new Draw(seed);
	const b = modelBuilder({ opset, constants: draw.chance(0.2), ir: 10 });
	const kit = new Kit(b, exactness, opset, draw);
	const x = inputs[kind](draw);
	const dims = { image: [x.width, x.size, x.size], sequence: ['seq', x.width], vector: [x.width] };
	b.input('x', ['batch', ...dims[kind]]);
	readOut(kit, chain(kit, x, specs));
	return b.build();
}

function chain(kit: Kit, x: Flow, specs: readonly Spec[]): Flow {
	return specs.reduce((flow, spec) => {
		const inner = spec.chains.map(
			(one) =>
				(own: Kit, from: Flow): Flow =>
					chain(own, from, one),
		);
		return known(spec.block).build(kit.inside(spec.seed), flow, inner);
	}, x);
}

/** Three numbers for every place, so that a mistake anywhere shows. */
function readOut(kit: Kit, x: Flow): void {
	const { b } = kit;
	if (x.kind !== 'image') {
		b.output(kit.node('MatMul', [x.name, kit.weight([x.width, 3])]));
		return;
	}
	b.output(kit.node('Conv', [x.name, kit.weight([3, x.width, 1, 1], x.width)]));
}

export function printRecipe({ exactness, kind, opset, seed, blocks: specs }: Recipe): string {
	return `${exactness} ${kind} ${opset} seed ${seed}: ${printSpecs(specs)}`;
}

const printSpecs = (specs: readonly Spec[]): string => specs.map(printSpec).join(' ');

function printSpec({ block, seed, chains }: Spec): string {
	const inner = chains.map((one) => `(${printSpecs(one)})`).join('');
	return `${block}~${seed}${inner}`;
}

/** The recipe of a printed one. */
export function parseRecipe(text: string): Recipe {
	const head = /^(exact|float) (image|sequence|vector) (\d+) seed (\d+): /.exec(text);
	if (head === null) return bug('no recipe of a generated model', { text });
	const [whole, exactness, kind, opset, seed] = head;
	const tokens = text.slice(whole.length).match(/[()]|\w+~\d+/g) ?? [];
	const specs = parseSpecs(tokens);
	return {
		...{ exactness: exactness as Exactness, kind: kind as Kind },
		...{ opset: Number(opset), seed: Number(seed), blocks: specs },
	};
}

/** Reads up to a closing bracket or the end; takes what it reads away. */
function parseSpecs(tokens: string[]): Spec[] {
	const specs: Spec[] = [];
	for (let token = tokens.shift(); token !== undefined && token !== ')'; token = tokens.shift()) {
		const [block = '', seed = ''] = token.split('~');
		const chains: Spec[][] = [];
		while (tokens[0] === '(') {
			tokens.shift();
			chains.push(parseSpecs(tokens));
		}
		specs.push({ block, seed: Number(seed), chains });
	}
	return specs;
}
