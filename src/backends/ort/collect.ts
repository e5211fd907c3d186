/** Reads values of a model on all examples. */
import { Fault } from '../../diagnostic.ts';
import { type Example } from '../../data/sample.ts';
import { type Model, type ValueName } from '../../ir/graph/graph.ts';
import { valuesInBodies } from '../../ir/graph/scope.ts';
import { insideBody } from '../../messages/run.ts';
import { openSession, type Value } from './session.ts';

/** Runs a model on all examples and hands over what some values hold. */
export type Collect = (
	model: Model,
	names: readonly ValueName[],
	take: (values: ReadonlyMap<ValueName, Value>, mask: Value | undefined) => void,
) => Promise<void>;

export function collector(examples: readonly Example[], threads: number): Collect {
	return async (model, names, take) => {
		checkOutside(model, names);
		const session = await openSession(model, { which: 'original', threads, extra: names });
		try {
			for (const { feeds, mask } of examples) take(await session.run(feeds, [...new Set(names)]), mask);
		} finally {
			await session.release();
		}
	};
}

/** Throws `Fault` for a value that only a body sees. */
export function checkOutside({ graph }: Model, values: readonly ValueName[]): void {
	const inside = valuesInBodies(graph);
	const value = values.find((name) => inside.has(name));
	if (value !== undefined) throw new Fault(insideBody({ value }));
}
