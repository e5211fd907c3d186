/** Every block by name, and the ones that are made of others. */
import { imageBlocks } from './blocks-image.ts';
import { operatorBlocks } from './blocks-operator.ts';
import { sequenceBlocks } from './blocks-sequence.ts';
import { attentionBlocks } from './blocks-attention.ts';
import { flowBlocks } from './blocks-flow.ts';
import { mixtureBlocks } from './blocks-mixture.ts';
import { quantizedBlocks } from './blocks-quantized.ts';
import { vectorBlocks } from './blocks-vector.ts';
import { project, type Exactness, type Flow, type Kind, type Kit } from './kit.ts';

/** A chain of blocks inside another one, ready to be built behind a value. */
export type Chain = (kit: Kit, x: Flow) => Flow;

export type Block = {
	readonly takes: readonly Kind[];
	/** The kind of its result, where that is another one. */
	readonly gives?: Kind;
	/** Only in models of this class. */
	readonly only?: Exactness;
	/** It changes the size of an image or the length of a sequence, so no sum leads around it. */
	readonly resizes?: boolean;
	/** How many chains of blocks it is made of. */
	readonly chains?: number;
	readonly build: (kit: Kit, x: Flow, chains: readonly Chain[]) => Flow;
};

const every: readonly Kind[] = ['image', 'sequence', 'vector'];

const axisOf = ({ kind }: Flow): number => (kind === 'sequence' ? 2 : 1);

const composed: Readonly<Record<string, Block>> = {
	residual: {
		takes: every,
		chains: 1,
		build: (kit, x, [inner]) => {
			const branch = project(kit, inner?.(kit, x) ?? x, x.width);
			return { ...x, name: kit.bounded(kit.node('Add', [x.name, branch.name])) };
		},
	},
	concat: {
		takes: every,
		chains: 2,
		build: (kit, x, chains) => {
			const branches = chains.map((chain) => chain(kit, x));
			const name = kit.node(
				'Concat',
				branches.map((one) => one.name),
				{ axis: axisOf(x) },
			);
			return { ...x, name, width: branches.reduce((sum, { width }) => sum + width, 0) };
		},
	},
	dense: {
		takes: every,
		chains: 1,
		build: (kit, x, [inner]) => {
			const more = inner?.(kit, x) ?? x;
			const name = kit.node('Concat', [x.name, more.name], { axis: axisOf(x) });
			return { ...x, name, width: x.width + more.width };
		},
	},
	gate: {
		takes: every,
		chains: 2,
		build: (kit, x, [left, right]) => {
			const [a, b] = [left?.(kit, x) ?? x, right?.(kit, x) ?? x];
			const op = kit.draw.pick(['Mul', 'Mul', 'Sub', 'Max']);
			return { ...a, name: kit.bounded(kit.node(op, [a.name, project(kit, b, a.width).name])) };
		},
	},
	/** The same weights a second time, behind themselves. */
	twice: {
		takes: every,
		chains: 1,
		build: (kit, x, [inner]) => {
			const tape = { names: [], at: 0 };
			const [seed, last] = [kit.draw.seed(), kit.draw.seed()];
			const once = (from: Flow): Flow => {
				tape.at = 0;
				const own = kit.inside(seed, tape);
				return project(kit.inside(last, tape), inner?.(own, from) ?? from, x.width);
			};
			return once(once(x));
		},
	},
};

export const blocks: Readonly<Record<string, Block>> = {
	...composed,
	...imageBlocks,
	...sequenceBlocks,
	...attentionBlocks,
	...vectorBlocks,
	...flowBlocks,
	...quantizedBlocks,
	...mixtureBlocks,
	...operatorBlocks,
};
