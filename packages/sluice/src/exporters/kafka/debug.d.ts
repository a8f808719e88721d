/** @platformatic/kafka names this package's types and does not bring them along; only its own logging uses them. */
declare module 'debug' {
  namespace debug {
    type Debugger = (...args: unknown[]) => void;
  }
  const debug: (name: string) => debug.Debugger;
  export default debug;
}
