/** What the outputs of a model do at settings of inputs that the examples do not feed: one session, settings in turns. */
import { type Example } from '../../data/sample.ts';
import { present } from '../../diagnostic.ts';
import { type Model } from '../../ir/graph/graph.ts';
import { type Experiment } from '../../ir/lab.ts';
import { holding } from './padding.ts';
import { openSession, type Value } from './session.ts';

/** Examples that are run at every setting: enough to rank, and few enough to wait for. */
const few = 16;
/** An output of zeros is divided by this. */
const smallest = 1e-30;

/** As `Lab.changes`. */
export async function measureChanges(
	model: Model,
	{ outputs, neutral, settings }: Experiment,
	examples: readonly Example[],
	threads: number,
): Promise<Float64Array> {
	const errors = settings.map(() => new Float64Array(outputs.length));
	const sizes = new Float64Array(outputs.length);
	const session = await openSession(model, { which: 'calibration', optimize: 'all', threads });
	try {
		for (const { feeds, mask } of examples.slice(0, few)) {
			const base = await session.run(new Map([...feeds, ...neutral]), outputs);
			const valueOf = (values: ReadonlyMap<string, Value>, at: number): Value =>
				present(values.get(outputs[at] ?? ''), 'an output');
			sizes.forEach((size, at) => (sizes[at] = size + distanceOf(valueOf(base, at), undefined, mask)));
			for (const [turn, setting] of settings.entries()) {
				const changed = await session.run(new Map([...feeds, ...neutral, ...setting]), outputs);
				errors[turn]?.forEach((error, at, all) => {
					all[at] = error + distanceOf(valueOf(base, at), valueOf(changed, at), mask);
				});
			}
		}
	} finally {
		await session.release();
	}
	return Float64Array.from(errors, (own) => meanShare(own, sizes));
}

function meanShare(errors: Float64Array, sizes: Float64Array): number {
	return (
		errors.reduce((sum, error, at) => sum + error / Math.max(sizes[at] ?? 0, smallest), 0) /
		Math.max(1, errors.length)
	);
}

/** Σ (a − b)² over what is no padding; Σ a² without `b`. */
function distanceOf({ dims, data }: Value, other: Value | undefined, mask: Value | undefined): number {
	const holds = holding(dims, mask, dims.length - 1);
	let sum = 0;
	for (let at = 0; at < data.length; at++) {
		if (holds !== undefined && !holds(at)) continue;
		const difference = (data[at] ?? 0) - (other?.data[at] ?? 0);
		// Numbers that are not finite before stay so and tell nothing.
		if (Number.isFinite(difference)) sum += difference * difference;
	}
	return sum;
}
