/** Pooling, and the operators that look around a pixel. https://onnx.ai/onnx/operators/onnx__MaxPool.html */
import { type Attribute } from '../graph/graph.ts';
import { built, noted, type Operator, int } from './operator.ts';
import { RowBuilder, type Role, type Row, type Unrelated } from './row.ts';
import { slide, spatial, spatialRank } from './rows-conv.ts';
import { inputSizes, intAttribute, intsAttribute, stringAttribute, type NodeView } from './view.ts';

const list = (...value: number[]): Attribute => ({ kind: 'ints', value });

function poolSizes(view: NodeView): (number[] | undefined)[] {
	const x = inputSizes(view, 0);
	const kernel = intsAttribute(view, 'kernel_shape');
	if (x === undefined || kernel === undefined) return [];
	return view.node.outputs.map(() => [...x.slice(0, 2), ...slide(view, x.slice(2), kernel)]);
}

function poolAxes(view: NodeView): string | Unrelated {
	if (view.node.outputs.length > 1) return { unrelated: 'its indices count elements of the whole input' };
	const n = spatialRank(view);
	return `b c${spatial('x', n)} -> b c${spatial('y', n)}`;
}

function globalPool(op: string, role: Role, examples: Operator['examples']): Operator {
	return built(op, {
		row: (view): Row => {
			const builder = new RowBuilder();
			for (const [axis, size] of (inputSizes(view, 0) ?? []).entries()) {
				if (axis < 2) builder.through('bc'[axis] ?? '', size, [0, axis], [0, axis]);
				else builder.input(0, axis, builder.letter(`x${axis}`, size, role));
			}
			return builder.build();
		},
		sizes: (view) => [inputSizes(view, 0)?.map((size, axis) => (axis < 2 ? size : 1))],
		examples,
	});
}

const negative = { sizes: [2, 5, 6, 6], negative: true };

/** Blocks of pixels become channels (`SpaceToDepth`) or the other way; `CRD` keeps a channel's pixels together. */
function blocks(
	deep: (mode: string) => string,
	flip: boolean,
): Pick<Operator, never> & { axes: (view: NodeView) => string } {
	return {
		axes: (view) => {
			const channels = `b ${deep(stringAttribute(view, 'mode', 'DCR'))} h w`;
			const pixels = 'b c (h !r) (w !s)';
			return flip ? `${pixels} -> ${channels}` : `${channels} -> ${pixels}`;
		},
	};
}

const depth = (mode: string): string => (mode === 'CRD' ? '(c !r !s)' : '(!r !s c)');

function blockHints(view: NodeView): { sizes: Record<string, number> } {
	const size = intAttribute(view, 'blocksize', 1);
	return { sizes: { r: size, s: size } };
}

function regions(view: NodeView): (number[] | undefined)[] {
	const [x, rois] = [inputSizes(view, 0), inputSizes(view, 1)];
	if (x === undefined || rois === undefined) return [];
	const [height, width] = [intAttribute(view, 'output_height', 1), intAttribute(view, 'output_width', 1)];
	return [[rois[0] ?? 1, x[1] ?? 1, height, width]];
}

function crop(view: NodeView): (number[] | undefined)[] {
	const [x, border] = [inputSizes(view, 0), intsAttribute(view, 'border') ?? []];
	const scale = intsAttribute(view, 'scale');
	const [left = 0, top = 0, right = 0, bottom = 0] = border;
	if (x === undefined) return [];
	const [b = 1, c = 1, h = 1, w = 1] = x;
	return [[b, c, scale?.[0] ?? h - top - bottom, scale?.[1] ?? w - left - right]];
}

export const poolRows: readonly Operator[] = [
	noted(['MaxPool', 'AveragePool', 'LpPool'], {
		axes: poolAxes,
		sizes: poolSizes,
		type: (view, slot) => (slot === 0 ? (view.inputs[0]?.type ?? 0) : 7),
		examples: [
			{ inputs: [[2, 5, 6, 6]], attributes: { kernel_shape: list(2, 2) } },
			{
				inputs: [[2, 5, 8, 9]],
				attributes: {
					kernel_shape: list(3, 3),
					strides: list(2, 2),
					pads: list(1, 1, 1, 1),
					ceil_mode: int(1),
				},
			},
			{
				inputs: [[2, 5, 8, 9]],
				attributes: {
					kernel_shape: list(2, 3),
					strides: list(2, 3),
					auto_pad: { kind: 'string', value: 'SAME_LOWER' },
				},
			},
		],
	}),
	globalPool('GlobalAveragePool', 'statistic', [{ inputs: [[2, 5, 6, 6]] }]),
	globalPool('GlobalMaxPool', 'pinned', [{ inputs: [negative] }]),
	globalPool('GlobalLpPool', 'contracted', [{ inputs: [[2, 5, 6, 6]] }]),
	noted('LRN', {
		axes: (view) =>
			`b !c${spatial('x', spatialRank(view)).replaceAll('!', '')} -> b !c${spatial('x', spatialRank(view)).replaceAll('!', '')}`,
		examples: [{ inputs: [[2, 7, 5, 5]], attributes: { size: int(3), alpha: { kind: 'float', value: 1 } } }],
	}),
	noted('DepthToSpace', {
		...blocks(depth, false),
		hints: blockHints,
		examples: [
			{ inputs: [[2, 20, 3, 5]], attributes: { blocksize: int(2) } },
			{ inputs: [[2, 20, 3, 5]], attributes: { blocksize: int(2), mode: { kind: 'string', value: 'CRD' } } },
		],
	}),
	noted('SpaceToDepth', {
		...blocks(() => '(!r !s c)', true),
		hints: blockHints,
		examples: [{ inputs: [[2, 5, 6, 10]], attributes: { blocksize: int(2) } }],
	}),
	noted('GridSample', {
		axes: 'b c !h !w, b p q _ -> b c p q',
		examples: [
			{
				inputs: [
					[2, 5, 6, 6],
					[2, 4, 5, 2],
				],
			},
		],
	}),
	noted('RoiAlign', {
		axes: '!b c !h !w, n _, n -> n c !p !q',
		sizes: regions,
		examples: [
			{
				inputs: [[2, 5, 6, 6], { sizes: [6, 4], positive: true }, { sizes: [6], type: 7, below: 2 }],
				attributes: { output_height: int(2), output_width: int(3) },
			},
		],
	}),
	noted('Crop', {
		axes: 'b c !h !w -> b c !p !q',
		sizes: crop,
		examples: [{ inputs: [[2, 5, 6, 7]], attributes: { border: list(1, 2, 1, 0) }, opset: 1 }],
	}),
];
