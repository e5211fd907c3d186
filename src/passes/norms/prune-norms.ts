/**
 * Normalizations that weights can take over. Batch normalization at inference is an affine of channels and goes into the
 * weights before or behind it (https://onnx.ai/onnx/operators/onnx__BatchNormalization.html); the scale and shift of layer,
 * RMS and instance normalization go into the projections that read them (SliceGPT, arXiv:2401.15024, section 3.2).
 */
import { Fault } from '../../diagnostic.ts';
import { nodeLabel, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { unsupportedAmount } from '../../messages/check.ts';
import { lowerFolds, planFolds, type Folded, type Folds, type Rule } from '../exact/exact.ts';
import { batchAffine, isIdentity, isNative, isRootOfMean, normAt } from './norms.ts';
import {
	biasOf,
	foldBefore,
	foldBehind,
	projectionAt,
	readerAt,
	resultAxis,
	resultOf,
	type Affine,
	type Projection,
} from '../exact/projection.ts';
import { Rewriting } from '../exact/rewriting.ts';
import { carriedAxis, isMover } from '../exact/trace.ts';
import { lowerStatic, type Statics } from './norm-constants.ts';
import { planStatic } from './static-norms.ts';
import { foldRepeated } from './repeated-norms.ts';
import { rmsForm, rmsRule } from './rms-norms.ts';
import { defineTechnique, type Planned, type PlanRequest } from '../technique.ts';

const folding: readonly Rule[] = [
	{ name: 'batch', fold: foldBatch },
	{ name: 'affine', fold: foldAffine },
	{ name: 'repeated', fold: foldRepeated },
];

export const pruneNorms = defineTechnique<Folds | Statics>({
	words: {
		name: 'prune-norms',
		verb: 'prune',
		target: 'norms',
		aliases: ['norm', 'normalization'],
		summary:
			'Fold batch normalizations into weights, the scale and shift of other norms into what reads them, norms of norms into one; `with rms` centre what is written to layer norms, which lose their mean; `with static`, or with an amount, put constants in the place of norms. The last is lossy.',
		example: 'prune norms',
		amounts: ['remove-count', 'remove-share'],
		bare: true,
		clauses: ['in', 'except'],
		choices: {
			with: [
				{ word: 'rms', summary: 'layer norms as RMS norms, what is written to them centred: exact' },
				{ word: 'static', summary: 'constants fitted to data in the place of deviations: lossy' },
			],
		},
		metrics: [],
	},
	plan: (request) =>
		request.step.with === 'static' || (request.step.amount !== undefined && request.step.with === undefined)
			? planStatic(request)
			: Promise.resolve(planExact(request)),
	lower: ({ decision, ...task }) =>
		'statics' in decision
			? lowerStatic({ ...task, decision })
			: lowerFolds({ ...task, decision }, [...folding, rmsRule(foldAffine)]),
});

function planExact(request: PlanRequest): Planned<Folds> {
	const { step } = request;
	if (step.with !== 'rms') return planFolds(request, folding, 'norms');
	if (step.amount !== undefined)
		throw new Fault(
			unsupportedAmount(
				{ amount: 'a number of norms', technique: 'prune norms with rms', example: 'prune norms with rms' },
				{ span: step.span },
			),
		);
	return planFolds(request, [rmsRule(foldAffine)], 'layer norms', rmsForm(new Rewriting(request.net)));
}

/** Into the projection before it, where nobody else reads that; else into the projections behind. */
function foldBatch(r: Rewriting, node: Node): Folded | string | undefined {
	if (node.op !== 'BatchNormalization') return undefined;
	const affine = batchAffine(r, node);
	if (typeof affine === 'string') return affine;
	const before = projectionBefore(r, node);
	if (typeof before !== 'string') {
		foldBehind(r, before, affine);
		r.bypass(node.id);
		return {};
	}
	const behind = projectionsBehind(r, node.outputs[0] ?? '', 1, affine);
	if (typeof behind === 'string') return `${before}; behind, ${behind}`;
	behind.forEach((projection) => {
		foldBefore(r, projection, affine);
	});
	r.bypass(node.id);
	return {};
}

/** The projection whose channels a norm alone reads, through operators that only move them; or why there is none. */
function projectionBefore(r: Rewriting, norm: Node): Projection | string {
	const way: Node[] = [];
	let [reader, value, shared] = [norm, norm.inputs[0] ?? '', r.sharedWith(norm.inputs[0] ?? '', norm)];
	let maker = r.makerOf(value);
	while (maker !== undefined && shared === undefined && isMover(r, maker)) {
		way.unshift(maker);
		[reader, value] = [maker, maker.inputs[0] ?? ''];
		[maker, shared] = [r.makerOf(value), r.sharedWith(value, reader)];
	}
	if (maker === undefined) return `'${value}' is a model input`;
	const product =
		maker.op === 'Add' ? r.makerOf(maker.inputs.find((name) => r.constantOf(name) === undefined)) : maker;
	const projection = product === undefined ? `${nodeLabel(maker)} has no weight` : projectionAt(r, product);
	if (typeof projection === 'string') return projection;
	if (projection.node.domain !== '') return `${nodeLabel(projection.node)} makes more than its product`;
	if (resultOf(r, projection).id !== maker.id) return `${nodeLabel(maker)} is no bias`;
	if (carriedAlong(r, way, resultAxis(r, projection)) !== 1)
		return `${nodeLabel(projection.node)} writes another axis`;
	const bias = biasOf(r, projection);
	return shared ?? (typeof bias === 'string' ? bias : projection);
}

/** Where an axis comes out of operators that only move numbers. */
function carriedAlong(r: Rewriting, way: readonly Node[], axis: number): number | undefined {
	return way.reduce<number | undefined>(
		(at, node) => (at === undefined ? undefined : carriedAxis(r, node, at)),
		axis,
	);
}

/** What a scale along the last axis passes unchanged: operators that leave that axis alone. */
function passes(r: Rewriting, node: Node, value: ValueName, axis: number): boolean {
	const [from, to] = [r.sizesOf(value), r.sizesOf(node.outputs[0] ?? '')];
	if (from === undefined || to === undefined || node.inputs[0] !== value || axis !== from.length - 1)
		return false;
	if (node.op === 'Identity') return true;
	if (node.op === 'Reshape') return from.at(-1) === to.at(-1);
	const attribute = node.attributes.get('axis');
	return node.op === 'Gather' && attribute?.kind === 'int' && attribute.value >= 0 && attribute.value < axis;
}

/** The projections that read a value along its channels; a sentence when something else reads it, or one cannot take the affine. */
function projectionsBehind(
	r: Rewriting,
	value: ValueName,
	axis: number,
	affine: Affine,
): readonly Projection[] | string {
	const outside = r.seenOutside(value);
	if (outside !== undefined) return outside;
	const found: Projection[] = [];
	for (const reader of r.numbersReaders(value)) {
		if (passes(r, reader, value, axis)) {
			const [output = ''] = reader.outputs;
			const further = projectionsBehind(r, output, (r.sizesOf(output)?.length ?? 1) - 1, affine);
			if (typeof further === 'string') return further;
			found.push(...further);
			continue;
		}
		const projection = readingProjection(r, reader, value, axis, affine);
		if (typeof projection === 'string') return projection;
		found.push(projection);
	}
	return found.length === 0 ? 'nobody reads it' : found;
}

function readingProjection(
	r: Rewriting,
	reader: Node,
	value: ValueName,
	axis: number,
	affine: Affine,
): Projection | string {
	const projection = readerAt(r, reader);
	if (typeof projection === 'string') return projection;
	if (reader.inputs.filter((name) => name === value).length !== 1 || reader.inputs[0] !== value)
		return `${nodeLabel(reader)} reads it in another place`;
	const convolves = reader.op === 'Conv' || reader.op === 'ConvTranspose';
	const rank = r.sizesOf(value)?.length ?? 0;
	if (axis !== (convolves ? 1 : rank - 1)) return `${nodeLabel(reader)} reads another axis`;
	const shifts = Array.from(affine.shift).some((one) => one !== 0);
	if (shifts && convolves && !isUnpadded(reader))
		return `${nodeLabel(reader)} pads with zeros, which the shift is not`;
	const bias = biasOf(r, projection);
	if (typeof bias === 'string') return bias;
	return shifts && bias === undefined && !convolves
		? `${nodeLabel(reader)} has no bias to take the shift`
		: projection;
}

function isUnpadded({ op, attributes }: Node): boolean {
	const [pads, auto] = [attributes.get('pads'), attributes.get('auto_pad')];
	const none = pads === undefined || (pads.kind === 'ints' && pads.value.every((pad) => pad === 0));
	return op === 'Conv' && none && (auto?.kind !== 'string' || ['', 'NOTSET', 'VALID'].includes(auto.value));
}

/**
 * The scale becomes the ones and the shift the zeros that all norms of a width share: the operators stay as they are, since
 * onnxruntime's fused kernels are told by them.
 */
function foldAffine(r: Rewriting, node: Node): Folded | string | undefined {
	if (!isNative(node) && !isRootOfMean(r, node)) return undefined;
	const norm = normAt(r, node);
	if (typeof norm === 'string') return norm;
	if (isIdentity(norm.affine)) return undefined;
	const behind = projectionsBehind(r, norm.output, norm.axis, norm.affine);
	if (typeof behind === 'string') return behind;
	behind.forEach((projection) => {
		foldBefore(r, projection, norm.affine);
	});
	const [scaler, slot] = norm.scaleAt;
	const next = r.setInput(scaler, slot, r.repeat(1, norm.type, norm.size));
	if (norm.shiftAt === undefined) return {};
	const [shifter, at] = norm.shiftAt;
	const optional = shifter.id === scaler.id && shifter.op.endsWith('LayerNormalization');
	r.setInput(
		shifter.id === scaler.id ? next : shifter,
		at,
		optional ? '' : r.repeat(0, norm.type, norm.size),
	);
	return {};
}
