/**
 * Values of quantized graphs between operators on bytes: each stands for (byte − zero) · scale with a scale of its own, so that one takes
 * another's place only through what it stands for.
 */
import { type Net } from '../../ir/axes/net.ts';
import { FLOAT } from '../../ir/graph/dtype.ts';
import { type Graph, type ValueName } from '../../ir/graph/graph.ts';
import { type Edit } from '../../ir/graph/patch.ts';
import { insert } from '../edits.ts';

/** What a byte stands for; the zero point may be absent. */
export type Scale = { readonly scale: ValueName; readonly zero: ValueName };

/** A value, and the nodes that make it. */
type Made = { readonly name: ValueName; readonly edits: readonly Edit[] };
type Fresh = (base: string) => ValueName;

/** Operators whose operands are triples of tensor, scale and zero point. */
const triples = /^(QLinear\w+|QGemm|DequantizeLinear)$/;

/** What bytes stand for, as somebody reads them; undefined of floats, and of bytes that are only moved. */
export function scaleOf({ nodes }: Graph, value: ValueName): Scale | undefined {
	for (const { op, inputs } of nodes) {
		const slot = triples.test(op) ? inputs.indexOf(value) : -1;
		const scale = slot < 0 ? undefined : inputs[slot + 1];
		if (scale !== undefined) return { scale, zero: inputs[slot + 2] ?? '' };
	}
	return undefined;
}

/**
 * A value as the floats that it stands for. What was quantized just before is taken as it was: of two roundings behind each other
 * onnxruntime leaves out one.
 */
export function floatsOf({ nodes }: Graph, value: ValueName, own: Scale | undefined, fresh: Fresh): Made {
	if (own === undefined) return { name: value, edits: [] };
	const maker = nodes.find(({ op, outputs }) => op === 'QuantizeLinear' && outputs[0] === value);
	if (maker?.inputs[0] !== undefined) return { name: maker.inputs[0], edits: [] };
	const name = fresh(`${value}_floats`);
	return { name, edits: [insert('DequantizeLinear', [value, own.scale, own.zero], name)] };
}

/** Floats as bytes of this scale; as they are where none is wanted. */
export function bytesOf(floats: ValueName, wanted: Scale | undefined, fresh: Fresh): Made {
	if (wanted === undefined) return { name: floats, edits: [] };
	const name = fresh(`${floats}_bytes`);
	return { name, edits: [insert('QuantizeLinear', [floats, wanted.scale, wanted.zero], name)] };
}

/** The element type in which a value is blended. */
export function blendedType(
	{ model: { graph }, facts }: Pick<Net, 'model' | 'facts'>,
	value: ValueName,
): number {
	return scaleOf(graph, value) === undefined ? (facts.of(value)?.type ?? FLOAT) : FLOAT;
}

/** `to` in a form in which it can stand where `from` stood. */
export function inPlaceOf(graph: Graph, from: ValueName, to: ValueName, fresh: Fresh): Made {
	const floats = floatsOf(graph, to, scaleOf(graph, to), fresh);
	const bytes = bytesOf(floats.name, scaleOf(graph, from), fresh);
	return { name: bytes.name, edits: [...floats.edits, ...bytes.edits] };
}
