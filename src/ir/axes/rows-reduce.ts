/** Reductions. https://onnx.ai/onnx/operators/onnx__ReduceSum.html */
import { built, type Example, type Operator } from './operator.ts';
import { RowBuilder, type Role, type Row } from './row.ts';
import {
	fixedInts,
	frontAxis,
	inputSizes,
	intAttribute,
	intsAttribute,
	sampledInts,
	type NodeView,
} from './view.ts';

function axesOf(view: NodeView): number[] {
	const rank = inputSizes(view, 0)?.length ?? 0;
	const said = intsAttribute(view, 'axes') ?? fixedInts(view, 1);
	if (said?.length) return said.map((axis) => frontAxis(axis, rank));
	return intAttribute(view, 'noop_with_empty_axes', 0) ? [] : Array.from({ length: rank }, (_, axis) => axis);
}

function row(view: NodeView, axes: readonly number[], keep: boolean, role: Role): Row {
	const builder = new RowBuilder();
	let out = 0;
	for (const [axis, size] of (inputSizes(view, 0) ?? []).entries()) {
		if (!axes.includes(axis)) builder.through(`a${axis}`, size, [0, axis], [0, out++]);
		else {
			builder.input(0, axis, builder.letter(`k${axis}`, size, role));
			if (keep) out++;
		}
	}
	return builder.build();
}

function reducedSizes(view: NodeView, axes: readonly number[], keep: boolean): (number[] | undefined)[] {
	const sizes = inputSizes(view, 0);
	return [sizes?.flatMap((size, axis) => (axes.includes(axis) ? (keep ? [1] : []) : [size]))];
}

const keeps = (view: NodeView): boolean => intAttribute(view, 'keepdims', 1) === 1;

function foldAll(view: NodeView, fold: (a: number, b: number) => number): readonly number[] | undefined {
	const values = sampledInts(view, 0);
	if (values === undefined || axesOf(view).length < (inputSizes(view, 0)?.length ?? 0)) return undefined;
	return values.length === 0 ? undefined : [values.reduce(fold)];
}

function reduction(op: string, role: Role, fold?: (a: number, b: number) => number): Operator {
	const example: Example = {
		inputs: [[3, 4, 5]],
		attributes: { axes: { kind: 'ints', value: [1] } },
		opset: 12,
	};
	return built(op, {
		row: (view) => row(view, axesOf(view), keeps(view), role),
		sizes: (view) => reducedSizes(view, axesOf(view), keeps(view)),
		...(fold && { values: (view: NodeView) => foldAll(view, fold) }),
		examples: [
			example,
			{ ...example, attributes: { ...example.attributes, keepdims: { kind: 'int', value: 0 } } },
		],
	});
}

const argAxis = (view: NodeView): number[] => [
	frontAxis(intAttribute(view, 'axis', 0), inputSizes(view, 0)?.length ?? 1),
];

export const reduceRows: readonly Operator[] = [
	reduction('ReduceSum', 'contracted', (a, b) => a + b),
	reduction('ReduceMean', 'statistic'),
	reduction('ReduceMax', 'pinned', Math.max),
	reduction('ReduceMin', 'pinned', Math.min),
	reduction('ReduceProd', 'pinned', (a, b) => a * b),
	reduction('ReduceL1', 'contracted'),
	reduction('ReduceL2', 'contracted'),
	reduction('ReduceSumSquare', 'contracted'),
	reduction('ReduceLogSumExp', 'pinned'),
	built(['ArgMax', 'ArgMin'], {
		row: (view) => row(view, argAxis(view), keeps(view), 'pinned'),
		sizes: (view) => reducedSizes(view, argAxis(view), keeps(view)),
		type: () => 7,
		examples: [{ inputs: [[3, 4, 5]], attributes: { axis: { kind: 'int', value: 1 } } }],
	}),
	built('CumSum', {
		row: (view) => {
			const builder = new RowBuilder();
			const axis = frontAxis(fixedInts(view, 1)?.[0] ?? 0, inputSizes(view, 0)?.length ?? 1);
			for (const [at, size] of (inputSizes(view, 0) ?? []).entries())
				if (at !== axis) builder.through(`a${at}`, size, [0, at], [0, at]);
			return builder.build();
		},
		sizes: (view) => [inputSizes(view, 0)],
		examples: [{ inputs: [[3, 4, 5], { ints: [1], scalar: true }] }],
	}),
];
